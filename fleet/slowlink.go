package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// How a copy is found to be worth compressing. ssh's zlib takes a core here and
// another there for some 30 MB/s, and halves what a system takes, or better; a link
// that carries as much without it would only be slowed down.
const (
	// fillFor is how long the buffers between Nix and the link are left to fill,
	// gaugeFor how long it is then looked how fast they empty.
	fillFor, gaugeFor = 2 * time.Second, 2 * time.Second
	// fastLink is the speed, in bytes per second, from which on nothing is compressed.
	fastLink = 8 << 20
	// worthwhile is how long the rest must take for another connection to be made.
	worthwhile = 20 * time.Second
	// tryFor is how long the link is tried by itself, about.
	tryFor = time.Second
)

// slowLink ends an attempt to copy that is slow enough to think about compression.
type slowLink struct {
	rate float64 // bytes per second
	left int64   // bytes
}

func (e *slowLink) Error() string { return "the copy is slow" }

// choseCompression reports whether the inventory says if the host's connection is compressed.
func (j *job) choseCompression() bool {
	return slices.ContainsFunc(j.host.SSHOptions, func(o string) bool {
		return strings.HasPrefix(strings.ToLower(o), "compression=")
	})
}

// watch ends an attempt that is slow by a *slowLink. What it returns waits for its end.
func (d *delivery) watch(ctx context.Context, stop context.CancelCauseFunc) (wait func()) {
	if d.settled {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if slow := d.slow(ctx); slow != nil {
			stop(slow)
		}
	}()
	return func() { <-done }
}

// slow is nil if the copy is fast enough, or soon over.
func (d *delivery) slow(ctx context.Context) *slowLink {
	if pause(ctx, fillFor); ctx.Err() != nil {
		return nil
	}
	before, _ := d.progress.sent()
	began := time.Now()
	if pause(ctx, gaugeFor); ctx.Err() != nil {
		return nil
	}
	sent, left := d.progress.sent()
	rate := float64(sent-before) / time.Since(began).Seconds()
	if sent == before || rate >= fastLink {
		return nil
	}
	if left == 0 { // it is not known
		k, err := d.lacking(ctx)
		if err != nil {
			return nil
		}
		left = k.copying().Bytes
	}
	if float64(left) < rate*worthwhile.Seconds() {
		return nil
	}
	return &slowLink{rate, left}
}

// lacking asks the host what it has of the system.
func (d *delivery) lacking(ctx context.Context) (*stores, error) {
	wanted, err := d.job.query(ctx, d.s, d.job.fleet.nix.Closure)
	if err != nil {
		return nil, err
	}
	k, err := askStore(ctx, d.conn, wanted, "")
	if err == nil {
		d.progress.know(sizesOf(wanted), k.there())
	}
	return k, err
}

// compress finds out whether it is the link that is slow, rather than either end of
// it, and if so makes a connection that compresses.
func (d *delivery) compress(ctx context.Context, slow *slowLink) {
	j := d.job
	d.settled = true
	places := j.fleet.stages.compressions
	if !places.TryAcquire(1) {
		return // every core has enough to do
	}
	d.release = func() { places.Release(1) }
	carries, err := uplink(ctx, d.conn, int64(slow.rate*tryFor.Seconds()))
	if err != nil {
		return
	}
	if carries > 1.5*slow.rate {
		j.log(StepCopy, fmt.Sprintf("only %s/s are sent, but the link carries %s/s: compressing the rest would not help", bytesText(int64(slow.rate)), bytesText(int64(carries))))
		return
	}
	conn, err := j.connectTo(ctx, compressed(j.host), func(ctx context.Context, r Remote) error {
		_, err := r.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
		return err
	})
	if err != nil {
		return
	}
	d.conn = conn
	j.log(StepCopy, fmt.Sprintf("the link carries about %s/s: the remaining %s go compressed, over a connection of their own", bytesText(int64(slow.rate)), bytesText(slow.left)))
}

// compressed is a host with a connection of its own that compresses.
func compressed(h Host) Host {
	h.SSHOptions = append(slices.Clone(h.SSHOptions), "Compression=yes")
	return h
}

// uplink is how many bytes a second the connection carries to the host, of data that
// does not compress. It sends so many, and at least 64 KiB.
func uplink(ctx context.Context, r Remote, n int64) (float64, error) {
	n = max(n, 64<<10)
	began := time.Now()
	_, err := r.Run(ctx, sshpool.Cmd{Argv: []string{"sh", "-c", "exec cat >/dev/null"}, Stdin: io.LimitReader(rand.Reader, n)})
	return float64(n) / time.Since(began).Seconds(), err
}
