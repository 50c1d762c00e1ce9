package sshpool

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// handshakeFactor times ConnectTimeout bounds a whole handshake, log-in
// included: ssh's own ConnectTimeout ends with the key exchange.
const handshakeFactor = 3

// cancelGrace is what an interrupted ssh gets before it is killed. It has
// nothing to save.
const cancelGrace = time.Second

var errHandshake = errors.New("the handshake took too long")

// detached is a command that gives the master's standard streams to the log. Before OpenSSH 8.5 a
// master in the background, and in every version a ProxyCommand's program, keeps
// the standard error it was started with; as a pipe it would never be closed.
// The text is fixed and everything else an argument.
func detached(log string, argv []string) []string {
	return append([]string{"/bin/sh", "-c", `log=$1; shift; exec "$@" >>"$log" 2>&1`, "sh", log}, argv...)
}

// startTries is how often a handshake is begun that the host closes early, as an
// sshd does with those beyond its MaxStartups.
const startTries = 3

// start starts the master and waits until it takes sessions. The caller holds
// the lock.
func (h *host) start(ctx context.Context) (connected, error) {
	s := h.settings(ctx)
	via, err := h.route(ctx, s)
	if err != nil {
		return connected{}, err
	}
	got, err := h.dial(ctx, via, s)
	var e *Error
	if via != nil && errors.As(err, &e) && e.Kind == KindUnreachable && ctx.Err() == nil && !via.works(ctx) {
		if err := via.connect(ctx, h.target); err != nil {
			return connected{}, err
		}
		got, err = h.dial(ctx, via, s)
	}
	if via != nil && err == nil {
		via.master.proven.Store(true)
	}
	return got, err
}

// dial makes the handshake, more than once if the host is busy.
func (h *host) dial(ctx context.Context, via *route, s settings) (connected, error) {
	for try := 1; ; try++ {
		got, err := h.handshake(ctx, via, s)
		var e *Error
		if try == startTries || !errors.As(err, &e) || !e.busy {
			return got, err
		}
		// Those that were turned away together must not come back together.
		pause := time.Duration(try) * time.Second
		if !sleep(ctx, pause/4+rand.N(pause)) {
			return connected{}, cancelled(ctx, h.target)
		}
	}
}

// handshake makes the handshake, by ssh alone if Config.SocketProgram is of no use.
func (h *host) handshake(ctx context.Context, via *route, s settings) (connected, error) {
	h.pool.handshakes.Add(1)
	way := h.way(s, h.log)
	if via != nil {
		way = via.proxy(h.pool.config, h.log)
	}
	got, err := h.attempt(ctx, via, way)
	var e *Error
	if via == nil && way != nil && errors.As(err, &e) && e.unpassed {
		return h.attempt(ctx, nil, nil)
	}
	return got, err
}

// attempt makes one handshake, with the settings of the way.
func (h *host) attempt(ctx context.Context, via *route, way []string) (connected, error) {
	p := h.pool
	if err := p.connecting.Acquire(ctx, 1); err != nil {
		return connected{}, cancelled(ctx, h.target)
	}
	defer p.connecting.Release(1)
	if err := os.WriteFile(h.log, nil, 0o600); err != nil {
		return connected{}, h.failure(ctx, err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, handshakeFactor*p.config.ConnectTimeout, errHandshake)
	defer cancel()

	config := p.config
	if h.life > 0 {
		config.Persist = h.life
	}
	argv := masterArgs(config, h.target, way, h.sock, h.log)
	res, err := proc.Run(limited, proc.Cmd{
		Argv:  detached(h.log, argv),
		Name:  "ssh connect",
		Env:   p.config.Env,
		Grace: cancelGrace,
	})
	if err == nil {
		m := &master{ours: true}
		m.proven.Store(true)
		if m.pid, err = muxPID(ctx, h.sock); err == nil {
			return connected{master: m, handshake: res.Duration}, nil
		}
	}
	if pid, e := muxPID(context.WithoutCancel(ctx), h.sock); e == nil {
		_ = muxEnd(context.WithoutCancel(ctx), h.sock, pid, false)
	}
	h.removeHalfMade()
	failed := h.refused(ctx, limited, argv, res.Code, err)
	if via != nil {
		failed.behind(via.host.target)
	}
	return connected{}, failed
}

// removeHalfMade removes the socket of an ssh that was killed while it made it: it binds
// one with 16 letters and digits after the path and links that to the path (muxserver_listen in OpenSSH's
// mux.c).
func (h *host) removeHalfMade() {
	found, _ := filepath.Glob(h.sock + "." + strings.Repeat("[0-9A-Za-z]", 16))
	for _, name := range found {
		_ = os.Remove(name)
	}
}

// behind corrects what was made of the messages of an ssh that goes through the
// jump host's master, which is connected.
func (e *Error) behind(jump Target) {
	if e.Kind != KindUnreachable {
		return
	}
	switch {
	case strings.Contains(e.Stderr, "Stdio forwarding request failed"):
		e.busy = false
		e.Hint = "the jump host " + jump.String() + " is connected to, but cannot reach it: check that the host is up, that the jump host knows " +
			"its name and port, and that its sshd forwards (AllowTcpForwarding, PermitOpen)"
	case !strings.Contains(e.Stderr, "timed out") && strings.Contains(e.Stderr, "Connection closed"):
		e.busy = true
		e.Hint = "the jump host " + jump.String() + " reaches it, but the host closed the connection before the log-in: look at its sshd's log (MaxStartups, penalties)"
	default:
		e.Hint = "the jump host " + jump.String() + " is connected to, but nothing came back through it: check that the host is up"
	}
}

// refused explains a handshake that failed.
func (h *host) refused(ctx, limited context.Context, argv []string, code int, err error) *Error {
	text := messages(readLog(h.log))
	e := &Error{Target: h.target, Argv: argv, ExitCode: code, Stderr: text, NotStarted: true, Err: err, unpassed: unpassed(text)}
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = KindCancelled, proc.Ended(ctx)
	case limited.Err() != nil:
		e.Kind, e.Err = KindUnreachable, errHandshake
		e.Hint = "check that the host is up, or raise ConnectTimeout if its log-in is slow"
	case code == 126 || code == 127:
		e.Kind, e.Hint = KindNoSSH, "install OpenSSH's client"
	default:
		e.diagnose()
	}
	return e
}

// readLog returns a log of ssh; one that cannot be read says nothing.
func readLog(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}
