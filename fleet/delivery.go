package fleet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/endcopy.sh
var endCopyScript string

// deliveryPatience is how long a host may be gone in the middle of a copy before
// the copy is given up; a bridge, a firewall or an sshd that restarts takes seconds.
const deliveryPatience = time.Minute

// mostDrops is how often in a row a connection may drop without a path having arrived
// in between. A single path that takes longer than the connection ever lasts would
// otherwise be begun for ever: Nix takes a path whole or not at all.
const mostDrops = 5

// delivery is the copy of a system to its host. A copy whose connection drops is
// made again over another one, which sends what the host does not have by then: Nix
// asks for that first.
type delivery struct {
	job      *job
	s        surveyed
	progress *copyProgress
	conn     Remote
	// mark tells the Nix that a copy runs on the host from others there.
	mark string
	// settled says that the choice whether to compress is made.
	settled bool
	release func() // of the place to compress in; nil if there is none
}

// deliver copies the system, and returns how many paths the host has fetched from
// its substituters.
func (j *job) deliver(ctx context.Context, s surveyed, p *copyProgress) (fetched int, err error) {
	d := delivery{job: j, s: s, progress: p, conn: s.conn, mark: rand.Text(), settled: j.choseCompression()}
	defer func() {
		if d.release != nil {
			d.release()
		}
	}()
	for drops := 0; ; {
		master, err := d.connected(ctx)
		if err != nil {
			return fetched, err
		}
		n, err := d.once(ctx)
		fetched += n
		var slow *slowLink
		switch {
		case err == nil || ctx.Err() != nil:
			return fetched, err
		case errors.As(err, &slow):
			d.compress(ctx, slow)
			d.again(ctx)
			continue
		case master == 0 || masterOf(ctx, d.conn) == master:
			return fetched, d.explain(ctx, err)
		}
		j.warn(StepCopy, "the connection dropped while paths were sent; connecting again, for what has not arrived")
		arrived, gone := d.reconnect(ctx)
		if ctx.Err() != nil {
			return fetched, context.Cause(ctx)
		}
		if gone != nil {
			return fetched, &hintedError{fmt.Errorf("the connection dropped, and the host could not be reached again within %s: %w", deliveryPatience, gone), copyAgain}
		}
		if drops++; arrived {
			drops = 1
		}
		if drops == mostDrops {
			return fetched, &hintedError{fmt.Errorf("the connection dropped %d times without a path having arrived: %w", drops, err),
				"Nix sends a path whole or not at all: the one it was at must arrive within one connection; " + copyAgain}
		}
	}
}

const copyAgain = "deploy again once the connection holds: what has arrived is not sent again, and what the host runs and boots is as before"

// once makes one attempt.
func (d *delivery) once(ctx context.Context) (fetched int, err error) {
	j := d.job
	ctx, stop := context.WithCancelCause(ctx)
	watched := d.watch(ctx, stop)
	fetched, err = j.send(ctx, []nixcmd.StorePath{d.s.eval.Toplevel}, nixcmd.CopyOptions{
		To: nixcmd.CopyURL(j.host.User, j.host.Address), SSHOpts: d.conn.NixSSHOpts(), NoCheckSigs: true, Mark: d.mark,
		Progress: func(e nixcmd.CopyEvent) { j.copying(d.progress, e) },
	})
	stop(nil)
	watched()
	return fetched, err
}

// explain looks whether it is the path that Nix came to whose contents are no longer
// what they were here: the host then refuses them.
func (d *delivery) explain(ctx context.Context, err error) error {
	k, e := d.lacking(ctx)
	if e != nil {
		return err
	}
	first := d.progress.firstOf(k.missing)
	if first == "" {
		return err
	}
	if damaged, e := d.job.fleet.nix.Damaged(ctx, []nixcmd.StorePath{first}); e != nil || len(damaged) == 0 {
		return err
	}
	return &hintedError{fmt.Errorf("%s is damaged in the store here: %w", first, err),
		fmt.Sprintf("mend it: `nix store repair %s`, which fetches or builds it again; `nix-store --verify --check-contents` finds whatever else is damaged", first)}
}

// reconnect waits until the host answers again, ends what the copy has left there, and
// reports whether any path has arrived since the host was asked last. gone is why it does
// not answer.
func (d *delivery) reconnect(ctx context.Context) (arrived bool, gone error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryPatience)
	defer cancel()
	for {
		_, err := d.conn.Run(ctx, sshpool.Cmd{Script: endCopyScript, Argv: []string{nixcmd.MarkName + "=" + d.mark}})
		if !dropped(err) {
			arrived, err = d.again(ctx)
		}
		if !dropped(err) {
			return arrived, nil // the next attempt will tell
		}
		if gone == nil || ctx.Err() == nil {
			gone = err
		}
		if pause(ctx, time.Second); ctx.Err() != nil {
			return false, gone
		}
	}
}

// again asks the host what has arrived, so that the progress of the next attempt is
// told of what is left.
func (d *delivery) again(ctx context.Context) (arrived bool, err error) {
	wanted, err := d.job.query(ctx, d.s, d.job.fleet.nix.Closure)
	if err != nil {
		_, err = d.conn.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
		d.progress.restart(nil)
		return false, err
	}
	k, err := askStore(ctx, d.conn, wanted, "")
	if err != nil {
		d.progress.restart(nil)
		return false, err
	}
	return d.progress.restart(k), nil
}

// connected makes sure that there is a connection for Nix, which makes none: the one
// that there was ends when it is idle for long, as during a build. It returns what
// tells it from others, 0 if nothing does.
func (d *delivery) connected(ctx context.Context) (master int, err error) {
	if _, tells := d.conn.(interface{ Master(context.Context) int }); !tells {
		return 0, nil
	}
	if master = masterOf(ctx, d.conn); master == 0 {
		_, err = d.conn.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
		master = masterOf(ctx, d.conn)
	}
	return master, err
}

// masterOf tells a Remote's connection from others that it has had; 0 if there is none,
// or if it cannot tell.
func masterOf(ctx context.Context, r Remote) int {
	if m, ok := r.(interface{ Master(context.Context) int }); ok {
		return m.Master(ctx)
	}
	return 0
}
