package sshpool

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// probePatience bounds how long the first session over a master found running may
// take to open: two round trips and the start of a shell's parent. A laptop that
// has slept, or has changed its network, has masters that are alive and lead
// nowhere; a live one that is given up by mistake costs a handshake.
const probePatience = 5 * time.Second

var (
	errStalled = errors.New("the session did not open in time")
	errDead    = errors.New("the ssh master is gone")
	errKilled  = errors.New("ssh was ended by a signal")
)

// session runs the command once over the master.
func (h *host) session(ctx context.Context, m *master, cmd Cmd) (Result, error) {
	log, err := h.newLog()
	if err != nil {
		return Result{}, h.failure(ctx, err)
	}
	defer func() { _ = os.Remove(log) }()

	argv := sessionArgs(h.pool.config, h.target, h.sock, log, Quote(cmd.argv()...))
	r := run{host: h, cmd: cmd, argv: argv, log: log, begun: sessionOpened}
	if !m.proven.Load() {
		r.patience = min(h.pool.config.ConnectTimeout, probePatience)
	}
	h.pool.sessions.Add(1)
	res, code, err := r.do(ctx)
	text := readLog(log)
	if sessionOpened(text) {
		m.proven.Store(true)
	}
	return res, h.sessionError(ctx, m, r, text, code, res, err)
}

// sessionError makes Run's error of how a session's ssh ended.
func (h *host) sessionError(ctx context.Context, m *master, r run, log string, code int, res Result, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Target: h.target, Argv: r.shown(), ExitCode: code, Stderr: messages(log), Err: err}
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = KindCancelled, proc.Ended(ctx)
		return e
	case errors.Is(err, errStalled) && !sessionOpened(log):
		// Its sessions, if it still has any that work, may finish.
		_ = muxEnd(ctx, h.sock, m.pid, true)
		e.Kind, e.NotStarted, e.reconnect = KindUnreachable, true, true
		e.Hint = "the connection was found dead; check that the host is up"
		return e
	case code < 0:
		return programError(e, err)
	case code != sshFailed:
		return r.exit(code, res)
	}
	e.Kind = KindLost
	switch sessionEnding(log, string(res.Stderr)) {
	case endStatus:
		return r.exit(code, res)
	case endNotBegun:
		e.NotStarted, e.reconnect, e.Err = true, true, errDead
		e.Hint = "the connection ended before the command was sent; try again"
	case endRefused:
		e.Kind, e.NotStarted, e.refused = KindUnknown, true, true
		e.Hint = "the host refused another session on this connection: raise MaxSessions in its sshd_config(5) (10 is its default)"
	case endMisconfigured:
		e.Stderr = messages(log + string(res.Stderr))
		e.diagnose()
		e.NotStarted = true
	default:
		// Without an exit status either the connection died or a signal ended
		// the command; a master that still answers rules the former out.
		if pid, err := muxPID(ctx, h.sock); err == nil && pid == m.pid && sessionOpened(log) {
			return r.exit(-1, res)
		}
		e.Err = errDead
		e.Hint = "the command may have run or may still be running; look at the host before running it again"
	}
	return e
}

// fresh runs the command once over a connection of its own.
func (h *host) fresh(ctx context.Context, cmd Cmd) (Result, error) {
	h.pool.handshakes.Add(1)
	h.pool.sessions.Add(1)
	s := h.settings(ctx)
	res, err := h.freshOnce(ctx, cmd, s)
	var e *Error
	if errors.As(err, &e) && e.unpassed && h.way(s, "") != nil {
		return h.freshOnce(ctx, cmd, nil)
	}
	return res, err
}

func (h *host) freshOnce(ctx context.Context, cmd Cmd, s settings) (Result, error) {
	log, err := h.newLog()
	if err != nil {
		return Result{}, h.failure(ctx, err)
	}
	defer func() { _ = os.Remove(log) }()

	c := h.pool.config
	r := run{host: h, cmd: cmd, log: log, begun: freshBegun, patience: handshakeFactor * c.ConnectTimeout,
		argv: freshArgs(c, h.target, h.way(s, log), log, Quote(cmd.argv()...))}
	res, code, err := r.do(ctx)
	return res, h.freshError(ctx, r, readLog(log), code, res, err)
}

// freshError makes Fresh's error of how its ssh ended.
func (h *host) freshError(ctx context.Context, r run, log string, code int, res Result, err error) error {
	if err == nil {
		if !freshKilled(log) {
			return nil
		}
		code, err = -1, errKilled
	}
	e := &Error{Target: h.target, Argv: r.shown(), ExitCode: code, Stderr: messages(log), Err: err, NotStarted: !freshBegun(log)}
	if signalled, ok := freshExit(log); ok && code == sshFailed {
		if signalled {
			code = -1
		}
		return r.exit(code, res)
	}
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = KindCancelled, proc.Ended(ctx)
	case errors.Is(err, errStalled) && e.NotStarted:
		e.Kind, e.Err, e.Hint = KindUnreachable, errHandshake, "check that the host is up, or raise ConnectTimeout if its log-in is slow"
	case code < 0:
		return programError(e, err)
	case code != sshFailed:
		return r.exit(code, res)
	case e.NotStarted:
		// Without a session there is no remote standard error: what is there
		// is ssh's, from before it opened its log, or a banner.
		e.Stderr = messages(log + string(res.Stderr))
		e.unpassed = unpassed(e.Stderr)
		e.diagnose()
	default:
		e.Kind = KindLost
		e.Hint = "the command may have run or may still be running; look at the host before running it again"
	}
	return e
}

// sshFailed is the exit code with which ssh reports a failure of its own
// (ssh(1), EXIT STATUS); a remote command may use it too.
const sshFailed = 255

// programError explains an ssh that did not run, or that somebody killed.
func programError(e *Error, err error) *Error {
	var p *proc.Error
	if errors.As(err, &p) && p.NotFound() {
		e.Kind, e.NotStarted, e.Hint = KindNoSSH, true, "install OpenSSH's client"
		return e
	}
	e.Kind, e.Hint = KindLost, "the local ssh was killed; look at the host before running the command again"
	return e
}

// run is one local ssh that runs a remote command.
type run struct {
	host     *host
	cmd      Cmd
	argv     []string
	log      string
	begun    func(log string) bool
	patience time.Duration // until begun must be true; 0 means for ever
}

// shown is the ssh command as errors show it: without the text of a script.
func (r run) shown() []string {
	last := len(r.argv) - 1
	return append(slices.Clone(r.argv[:last]), Quote(r.cmd.onStdin()...))
}

// do runs ssh and returns its exit code, -1 if there is none. Its error is
// errStalled if the session did not open while patience lasted.
func (r run) do(ctx context.Context) (Result, int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var grace time.Duration
	if r.patience > 0 {
		// Of a master that leads nowhere ssh waits for an answer to the interrupt.
		grace = cancelGrace
		over := make(chan struct{})
		timer := time.AfterFunc(r.patience, func() {
			defer close(over)
			if !r.begun(readLog(r.log)) {
				cancel(errStalled)
			}
		})
		defer func() {
			if !timer.Stop() {
				<-over
			}
		}()
	}
	res, err := proc.Run(ctx, proc.Cmd{
		Argv:   r.argv,
		Env:    r.host.pool.config.Env,
		Stdin:  r.cmd.stdin(),
		Grace:  grace,
		Stdout: r.cmd.Stdout,
		Stderr: r.cmd.Stderr,
	})
	return Result{Stdout: res.Stdout, Stderr: res.Stderr, Duration: res.Duration}, res.Code, err
}

func (r run) exit(code int, res Result) error {
	return &ExitError{Target: r.host.target, Argv: r.cmd.argv(), Code: code, Stderr: string(res.Stderr)}
}

// newLog makes an empty file, readable by this user only, for one ssh -E.
func (h *host) newLog() (string, error) {
	f, err := os.CreateTemp(h.pool.config.Dir, "session-*.log")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}
