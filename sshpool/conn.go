package sshpool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection to one host. Its methods may be called concurrently.
// Conns of one Pool to one Target share the master and its session limit.
type Conn struct {
	host      *host
	handshake time.Duration
	pid       int // of the master that Connect found or started
	closed    atomic.Bool
}

// Cmd is a remote command. Either Argv or Script must be given.
type Cmd struct {
	// Argv is the program and its arguments; the remote shell sees them
	// quoted. With a Script they are the script's arguments, $1 and so on.
	Argv []string
	// Script is POSIX shell text for a remote sh. It is run only once all of it has
	// arrived, so that a dying connection cannot run half of it; its commands find their
	// standard input at the end of file. One of up to 8 KiB is an argument of that sh,
	// which saves a round trip and lets whoever is on the host read it (ps(1)), as they can
	// read Argv: secrets belong into Stdin.
	Script string
	// Stdin is the command's standard input; nil means empty. It cannot be
	// used with Script.
	Stdin io.Reader
	// Hold, unless nil, keeps the command from being sent until it is closed: the
	// connection is made meanwhile. One that is cancelled before has run nothing.
	Hold <-chan struct{}
	// Stdout and Stderr receive every line as it arrives; nil means nobody
	// looks. They are called from different goroutines, and never after the
	// call has returned.
	Stdout, Stderr func(line string)
}

// Result is what a remote command left behind. It is filled as far as known
// also when there is an error.
type Result struct {
	// Stdout and Stderr are all the remote command printed, callbacks or not.
	Stdout, Stderr []byte
	// Duration is the wall time of the session, without any wait for a free
	// one and without reconnecting.
	Duration time.Duration
}

// Run runs a command over the connection, waiting for a free session first.
//
// A command that exits with anything but 0 gives an *ExitError, and a failure
// of the connection an *Error. If the master has died Run reconnects once, and a
// host that opens no further session is asked again once one of them has ended,
// given that the command has provably not started and that its Stdin is nil,
// untouched or can be rewound (io.Seeker); a connection that dies later gives KindLost.
//
// A host that has refused a session is not asked for as many at once again by this
// Pool: with MaxSessions 1 in its sshd_config(5), commands run one after the other.
// Where no session of this Pool is in the way, Run gives up after three times
// Config.ConnectTimeout.
//
// When ctx ends, the local ssh is interrupted, then killed, and the error is of
// KindCancelled. OpenSSH forwards no signal: the remote command only sees its
// standard streams close, and may go on.
func (c *Conn) Run(ctx context.Context, cmd Cmd) (Result, error) {
	h := c.host
	if err := c.usable(cmd); err != nil {
		return Result{}, err
	}
	if err := cmd.turn(ctx, h.target); err != nil {
		return Result{}, err
	}
	if err := h.sessions.Acquire(ctx, 1); err != nil {
		return Result{}, cancelled(ctx, h.target)
	}
	held := true
	defer func() {
		if held {
			h.sessions.Release(1)
		}
	}()

	rewind, full, retried := rewinder(cmd.Stdin), newRefusal(h.pool.config), false
	for {
		m, err := h.ready(ctx)
		if err != nil {
			return Result{}, err
		}
		res, err := h.session(ctx, m, cmd)
		var e *Error
		if !errors.As(err, &e) || !e.reconnect && !e.refused || e.reconnect && retried || !rewind() {
			return res, err
		}
		if !e.refused {
			retried = true
			continue
		}
		var again bool
		if again, held = full.wait(ctx, h.sessions); ctx.Err() != nil {
			return res, cancelled(ctx, h.target)
		} else if !again {
			return res, err
		}
	}
}

// Fresh runs a command over a new connection of its own that no later command
// uses, which proves that the host can still be logged in to. It counts as a
// handshake for Config.MaxConnecting until the command has printed a line, or for as
// long as a handshake may take, and not as a session.
// Errors are like those of Run, except that it never tries twice; a banner of
// sshd is part of the Result's Stderr. With Cmd.Hold the connection is a master with a
// socket of its own, over which one session is opened once the command may be sent; if it
// is dead by then another is made.
func (c *Conn) Fresh(ctx context.Context, cmd Cmd) (Result, error) {
	if err := c.usable(cmd); err != nil {
		return Result{}, err
	}
	p := c.host.pool
	if err := p.program(c.host.target); err != nil {
		return Result{}, err
	}
	if cmd.Hold != nil {
		res, err := c.host.held(ctx, cmd)
		var e *Error
		if !errors.As(err, &e) || !e.reconnect {
			return res, err
		}
	}
	if err := p.connecting.Acquire(ctx, 1); err != nil {
		return Result{}, cancelled(ctx, c.host.target)
	}
	connected := sync.OnceFunc(func() { p.connecting.Release(1) })
	defer connected()
	late := time.AfterFunc(handshakeFactor*p.config.ConnectTimeout, connected)
	defer late.Stop()
	each := cmd.Stdout
	cmd.Stdout = func(line string) {
		connected()
		if each != nil {
			each(line)
		}
	}
	return c.host.fresh(ctx, cmd)
}

// Target returns what the connection was made to.
func (c *Conn) Target() Target { return c.host.target }

// Handshake returns how long starting the master took, log-in included; 0 if
// Connect found it running.
func (c *Conn) Handshake() time.Duration { return c.handshake }

// NixSSHOpts returns the value of NIX_SSHOPTS with which nix rides this
// connection: words that need no quoting, separated by single spaces, right for
// every nix whether it splits by white space or by shell rules. They name no
// user and no port, since a live master needs neither; with a dead one nix fails
// at once instead of connecting by itself, possibly to another port. Nix's session
// is not among those that Config.MaxSessions counts: on a host that allows one
// only, nix fails while Run is at work, and Run waits for nix.
func (c *Conn) NixSSHOpts() string { return nixOpts(c.host.pool.config, c.host.sock) }

// DirectNixSSHOpts returns a value of NIX_SSHOPTS with which nix makes a connection of
// its own each time, under the same policy for host keys and with the Target's port and
// options; in the form of NixSSHOpts. Nix names the user in the URL of the store.
func (c *Conn) DirectNixSSHOpts() string { return directNixOpts(c.host.pool.config, c.host.target) }

// Master returns the process id of the ssh that holds the connection open, or 0 if it
// has ended. Another number than before means that the connection was lost in between,
// and made anew. It asks nothing of the host: the master of a host that has vanished
// is there until its keepalives fail.
func (c *Conn) Master(ctx context.Context) int {
	pid, err := muxPID(ctx, c.host.sock)
	if err != nil {
		return 0
	}
	return pid
}

// Sessions is how many sessions at once the host is known to open: Config.MaxSessions, or
// fewer if it has refused one.
func (c *Conn) Sessions() int { return c.host.sessions.most() }

// Close gives the connection up. The last Close of a master that the pool
// started ends it if Config.Persist is negative; every other master stays. A
// second Close does nothing.
func (c *Conn) Close(ctx context.Context) error {
	if c.closed.Swap(true) || !c.host.release() {
		return nil
	}
	return c.host.end(ctx)
}

// usable rejects closed connections and commands that cannot be run.
func (c *Conn) usable(cmd Cmd) error {
	if c.closed.Load() || c.host.pool.isClosed() {
		return closedError(c.host.target)
	}
	if err := cmd.validate(); err != nil {
		return &Error{Target: c.host.target, Kind: KindConfig, ExitCode: -1, NotStarted: true, Err: err}
	}
	return nil
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (cmd Cmd) validate() error {
	switch {
	case cmd.Script != "" && cmd.Stdin != nil:
		return errors.New("a command cannot have both a script and standard input")
	case cmd.Script == "" && len(cmd.Argv) == 0:
		return errors.New("the command is empty")
	case cmd.Script == "" && (cmd.Argv[0] == "" || cmd.Argv[0][0] == '-'):
		return fmt.Errorf("%q is not a program's name", cmd.Argv[0])
	case strings.ContainsRune(cmd.Script, 0):
		return errors.New("the script holds a NUL byte")
	}
	for _, a := range cmd.Argv {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("argument %q holds a NUL byte", a)
		}
	}
	return nil
}

// rewinder returns a function that puts a reader back to where it is now, and
// reports whether that was possible.
func rewinder(r io.Reader) func() bool {
	if r == nil {
		return func() bool { return true }
	}
	s, ok := r.(io.Seeker)
	if !ok {
		return func() bool { return false }
	}
	at, err := s.Seek(0, io.SeekCurrent)
	return func() bool {
		if err != nil {
			return false
		}
		_, err := s.Seek(at, io.SeekStart)
		return err == nil
	}
}
