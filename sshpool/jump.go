package sshpool

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// route is the connection to a jump host that a master goes through.
type route struct {
	host   *host
	master *master
}

// chain is the way so far of a connection that is made for another one.
type chain struct{}

// route connects to the jump host that ssh would go through (ProxyJump), so that
// all hosts behind it share one connection to it. It is nil if there is none, and
// where it is better left to ssh.
func (h *host) route(ctx context.Context, s settings) (*route, error) {
	t, ok := parseJump(s["proxyjump"])
	if !ok {
		return nil, nil
	}
	way, _ := ctx.Value(chain{}).([]string)
	way = append(way[:len(way):len(way)], h.pool.key(h.target))
	if slices.Contains(way, h.pool.key(t)) {
		return nil, nil // a circle, which is for ssh to complain about
	}
	jump, err := h.pool.jump(h, t)
	if err != nil {
		return nil, err
	}
	r := &route{host: jump}
	return r, r.connect(context.WithValue(ctx, chain{}, way), h.target)
}

// connect finds or starts the jump host's master, for a connection to t.
func (r *route) connect(ctx context.Context, t Target) error {
	got, err := r.host.connect(ctx)
	r.master = got.master
	var e *Error
	if errors.As(err, &e) {
		through := *e
		through.Target = t
		if through.Jump.Host == "" {
			through.Jump = r.host.target
		}
		return &through
	}
	return err
}

// works reports whether the connection to the jump host is alive. One that this
// program has not seen at work is tried with a session, and given up if it is not.
func (r *route) works(ctx context.Context) bool {
	if r.master.proven.Load() {
		return true
	}
	_, err := r.host.session(ctx, r.master, Cmd{Argv: []string{"true"}})
	var e *Error
	return !errors.As(err, &e) || e.Kind != KindLost && !e.reconnect
}

// proxy is the setting that makes ssh go through the jump host's master. What goes
// wrong with that is written to log, since a master closes the standard error of
// its ProxyCommand (OpenSSH, sshconnect.c, stderr_null).
func (r *route) proxy(c Config, log string) []string {
	a := []string{c.Program, "-E", log}
	if c.ConfigFile != "" {
		a = append(a, "-F", c.ConfigFile)
	}
	a = forced(a)
	a = options(a, "PermitLocalCommand=no", "LogLevel=INFO", "ControlMaster=no", "ControlPath="+r.host.sock, "ControlPersist=no", noFallback)
	words := strings.ReplaceAll(Quote(destination(a, r.host.target)...), "%", "%%")
	// As ssh itself writes it for ProxyJump (OpenSSH, ssh.c).
	head, tail, _ := cutLast(words, " -- ")
	return []string{"ProxyCommand=" + head + " -W '[%h]:%p' -- " + tail}
}

// parseJump reads a ProxyJump as `ssh -G` prints it, [EXTRA,][USER@]HOST[:PORT]: the
// last host is the one to connect to, by way of those before it. What is of any
// other form is not understood.
func parseJump(value string) (Target, bool) {
	var t Target
	extra, last, several := cutLast(value, ",")
	if !several {
		last = value
	} else {
		t.Options = []string{"ProxyJump=" + extra}
	}
	if user, host, ok := cutLast(last, "@"); ok {
		t.User, last = user, host
	}
	if inner, ok := strings.CutPrefix(last, "["); ok {
		host, port, ok := strings.Cut(inner, "]")
		if !ok {
			return Target{}, false
		}
		t.Host, last = host, port
	} else {
		host, port, ok := strings.Cut(last, ":")
		t.Host, last = host, ""
		if ok {
			last = ":" + port
		}
	}
	if last != "" {
		port, err := strconv.Atoi(strings.TrimPrefix(last, ":"))
		if err != nil || port == 0 || last[0] != ':' {
			return Target{}, false
		}
		t.Port = port
	}
	// A token, such as %h, is for ssh to replace.
	if t.Host == "none" || strings.Contains(value, "%") || t.Validate() != nil {
		return Target{}, false
	}
	return t, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
