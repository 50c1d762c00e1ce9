package sshpool

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// host is what a pool keeps for one target.
type host struct {
	pool            *Pool
	target          Target
	sock, lock, log string
	sessions        *slots
	// life is how long its master stays unused; 0 means as Config.Persist says.
	life time.Duration

	mu      sync.Mutex
	users   int     // open Conns, and Connects under way
	current *master // the last one known, dead or alive
	flight  *flight // the handshake under way
	jump    *host   // what the current one goes through, held until another is
}

// master is a background ssh process.
type master struct {
	pid    int
	ours   bool        // started by this pool
	proven atomic.Bool // the connection behind it has been seen to work
}

// connected is what a flight found or made.
type connected struct {
	master    *master
	handshake time.Duration
}

// flight is one attempt to connect, shared by all who wait for it and cancelled
// when the last of them has gone.
type flight struct {
	done    chan struct{}
	cancel  context.CancelCauseFunc
	waiters int
	got     connected
	err     error
}

// connect returns the live master, starting one if there is none.
func (h *host) connect(ctx context.Context) (connected, error) {
	if ctx.Err() != nil {
		return connected{}, h.late(ctx)
	}
	f, err := h.board(ctx)
	if err != nil {
		return connected{}, err
	}
	select {
	case <-f.done:
		return f.got, f.err
	case <-ctx.Done():
	}
	h.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last && h.flight == f {
		h.flight = nil
	}
	h.mu.Unlock()
	if last {
		f.cancel(proc.Ended(ctx))
		<-f.done
	}
	return connected{}, h.late(ctx)
}

// late is the error of a Connect whose context ended: a deadline that passes
// while a host does not answer says the host cannot be reached in that time.
func (h *host) late(ctx context.Context) *Error {
	e := cancelled(ctx, h.target)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind, e.Hint = KindUnreachable, "the host did not answer within the time allowed"
	}
	return e
}

// board joins the flight under way or begins one.
func (h *host) board(ctx context.Context) (*flight, error) {
	h.pool.mu.Lock()
	defer h.pool.mu.Unlock()
	if h.pool.closed {
		return nil, closedError(h.target)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.flight; f != nil {
		f.waiters++
		return f, nil
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel, waiters: 1}
	h.flight = f
	h.pool.flights.Go(func() {
		defer close(f.done)
		defer cancel(nil)
		f.got, f.err = h.open(ctx)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.flight == f {
			h.flight = nil
		}
		if f.err == nil {
			h.current = f.got.master
		}
	})
	return f, nil
}

// open finds or starts the master. The lock makes other processes wait for the
// one that is starting it; whoever holds it may remove a dead socket.
func (h *host) open(ctx context.Context) (connected, error) {
	if m := h.find(ctx); m != nil {
		return connected{master: m}, nil
	}
	if err := h.pool.program(h.target); err != nil {
		return connected{}, err
	}
	unlock, err := lockFile(ctx, h.lock)
	if err != nil {
		return connected{}, h.failure(ctx, err)
	}
	defer unlock()
	if m := h.find(ctx); m != nil {
		return connected{master: m}, nil
	}
	if ctx.Err() != nil {
		return connected{}, h.failure(ctx, ctx.Err())
	}
	if err := os.Remove(h.sock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return connected{}, h.failure(ctx, err)
	}
	return h.start(ctx)
}

// find asks at the socket for a live master.
func (h *host) find(ctx context.Context) *master {
	pid, err := muxPID(ctx, h.sock)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current != nil && h.current.pid == pid {
		return h.current
	}
	return &master{pid: pid}
}

// failure wraps an error from before any ssh was run.
func (h *host) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cancelled(ctx, h.target)
	}
	return &Error{Target: h.target, Kind: KindConfig, ExitCode: -1, NotStarted: true, Err: err,
		Hint: "check that the socket directory is writable and its disk not full"}
}

// ready returns the master to use for a session. Dialling costs no process and
// no round trip, and spares an ssh that would only find the socket dead.
func (h *host) ready(ctx context.Context) (*master, error) {
	h.mu.Lock()
	m := h.current
	h.mu.Unlock()
	if m != nil {
		if c, err := (&net.Dialer{Timeout: muxTimeout}).DialContext(ctx, "unix", h.sock); err == nil {
			_ = c.Close()
			return m, nil
		}
	}
	got, err := h.connect(ctx)
	return got.master, err
}

// abort cancels the flight under way, if there is one.
func (h *host) abort(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.flight != nil {
		h.flight.cancel(cause)
	}
}

// release counts one user less and reports whether it was the last.
func (h *host) release() (last bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	return h.users == 0
}

// end ends the master if the pool started it and was to end it.
func (h *host) end(ctx context.Context) error {
	h.mu.Lock()
	m := h.current
	h.current = nil
	h.mu.Unlock()
	if m == nil || !m.ours || h.pool.config.Persist >= 0 {
		return nil
	}
	return muxEnd(ctx, h.sock, m.pid, false)
}
