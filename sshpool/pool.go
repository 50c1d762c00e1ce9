package sshpool

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Pool keeps the connections of one program. All its methods may be called
// concurrently. Make one with New; the zero Pool is not usable.
type Pool struct {
	config     Config
	secret     string // makes the sockets of a pool with Persist < 0 its own
	connecting *semaphore.Weighted
	handshakes atomic.Int64
	sessions   atomic.Int64
	flights    sync.WaitGroup

	mu     sync.Mutex
	closed bool
	hosts  map[string]*host
}

// Stats counts what a Pool has done since New.
type Stats struct {
	// Handshakes is the number of connections begun, successful or not: masters
	// started, those of jump hosts included, and commands run by Fresh.
	Handshakes int64
	// Sessions is the number of local ssh processes that ran a command.
	Sessions int64
}

// New returns a pool. It makes and verifies the socket directory and runs
// nothing; a bad Config or directory gives an *Error of KindConfig.
func New(c Config) (*Pool, error) {
	c, err := c.withDefaults()
	if err == nil {
		c.Dir, err = prepareDir(c.Dir)
	}
	if err != nil {
		return nil, &Error{Kind: KindConfig, ExitCode: -1, NotStarted: true, Err: err,
			Hint: "choose a short socket directory that only you can write to (chmod 700)"}
	}
	p := &Pool{config: c, connecting: semaphore.NewWeighted(int64(c.MaxConnecting)), hosts: make(map[string]*host)}
	if c.Persist < 0 {
		p.secret = rand.Text()
	}
	return p, nil
}

// Connect returns a connection to the target: over the master that is running
// already, also one that an earlier program left behind, or over a new one.
// Concurrent calls for one target, in this process or in others of the same
// user, share one handshake. Errors are *Error; their NotStarted is true.
//
// A master is kept for exactly this Target and host-key policy. It goes on
// using the address its ssh_config(5) alias stood for when it was started.
//
// A jump host (ProxyJump, of the Target or of ssh_config) is connected to first, in
// the same way: all hosts behind it, of this and later programs, share one
// connection to it. A ProxyCommand is left to ssh.
//
// A host that closes the connection before the log-in, as sshd does beyond its
// MaxStartups, is tried twice more within a few seconds.
func (p *Pool) Connect(ctx context.Context, t Target) (*Conn, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	h, err := p.hold(t)
	if err != nil {
		return nil, err
	}
	got, err := h.connect(ctx)
	if err != nil {
		h.release()
		return nil, err
	}
	return &Conn{host: h, handshake: got.handshake, pid: got.master.pid}, nil
}

// Stats returns the counts so far.
func (p *Pool) Stats() Stats {
	return Stats{Handshakes: p.handshakes.Load(), Sessions: p.sessions.Load()}
}

// Close ends handshakes under way and, with Config.Persist < 0, the masters
// this pool started; commands still running over those are cut off, so wait for
// them first. With another Persist the masters stay for the next program. A
// second Close does nothing. The error is that of masters that would not end.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	hosts := make([]*host, 0, len(p.hosts))
	for _, h := range p.hosts {
		hosts = append(hosts, h)
	}
	p.mu.Unlock()
	for _, h := range hosts {
		h.abort(ErrClosed)
	}
	p.flights.Wait()
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.end(ctx))
		if p.secret != "" { // nobody else knows these files
			_ = os.Remove(h.lock)
			_ = os.Remove(h.log)
		}
	}
	return errors.Join(errs...)
}

// hold returns the state kept for the target and counts one more user of it.
func (p *Pool) hold(t Target) (*host, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, closedError(t)
	}
	key := p.key(t)
	h := p.hosts[key]
	if h == nil {
		base := filepath.Join(p.config.Dir, key)
		h = &host{pool: p, target: t, sock: base, lock: base + ".lock", log: base + ".log",
			sessions: newSlots(p.config.MaxSessions)}
		p.hosts[key] = h
	}
	h.mu.Lock()
	h.users++
	h.mu.Unlock()
	return h, nil
}

// jump returns the state kept for the jump host of h, which is in use as long as
// h goes through it.
func (p *Pool) jump(h *host, t Target) (*host, error) {
	jump, err := p.hold(t)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	before := h.jump
	h.jump = jump
	h.mu.Unlock()
	if before != nil {
		before.release()
	}
	return jump, nil
}

// key names the socket: equal for equal ways to connect, without a trace of
// the host's name, and of fixed length.
func (p *Pool) key(t Target) string {
	sum := sha256.New()
	words := []string{p.secret, p.config.Program, p.config.ConfigFile, p.config.HostKeys.String(), t.Host, t.User, fmt.Sprint(t.Port)}
	_, _ = io.WriteString(sum, strings.Join(append(words, t.Options...), "\x00"))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum.Sum(nil)))[:socketNameLen]
}

// program fails with KindNoSSH if there is no ssh to run.
func (p *Pool) program(t Target) error {
	if _, err := proc.LookPath(p.config.Program); err != nil {
		return &Error{Target: t, Kind: KindNoSSH, ExitCode: -1, NotStarted: true, Err: err, Hint: "install OpenSSH's client"}
	}
	return nil
}

func closedError(t Target) error {
	return &Error{Target: t, Kind: KindConfig, ExitCode: -1, NotStarted: true, Err: ErrClosed}
}

// cancelled makes the error of a call that its context ended.
func cancelled(ctx context.Context, t Target) *Error {
	return &Error{Target: t, Kind: KindCancelled, ExitCode: -1, NotStarted: true, Err: proc.Ended(ctx)}
}
