package sshpool

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// heldLife is how long a connection that nothing is sent over stays if this process does
// not live to end it.
const heldLife = time.Minute

// turn returns once the command may be sent.
func (cmd Cmd) turn(ctx context.Context, t Target) error {
	if cmd.Hold == nil {
		return nil
	}
	select {
	case <-cmd.Hold:
		return nil
	case <-ctx.Done():
		return cancelled(ctx, t)
	}
}

// held makes a connection that nobody else knows of, and runs the command over it once
// that may be sent. A session cannot be opened before: what keeps the input of a remote
// command back costs a round trip, since the server takes none until it has started it.
func (h *host) held(ctx context.Context, cmd Cmd) (Result, error) {
	base := filepath.Join(h.pool.config.Dir, strings.ToLower(rand.Text())[:socketNameLen])
	own := &host{pool: h.pool, target: h.target, sock: base, log: base + ".log", life: heldLife}
	// A master that dies the moment it has made its socket leaves it.
	defer func() { _, _ = os.Remove(own.log), os.Remove(own.sock) }()
	got, err := own.handshake(ctx, nil, own.settings(ctx))
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = muxEnd(context.WithoutCancel(ctx), own.sock, got.master.pid, false) }()
	if err := cmd.turn(ctx, h.target); err != nil {
		return Result{}, err
	}
	return own.session(ctx, got.master, cmd)
}
