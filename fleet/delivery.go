package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// delivery is the copy of a system to its host.
type delivery struct {
	crossing
	s        surveyed
	progress *copyProgress
	fetched  int // paths, by the host from its substituters
	// settled says that the choice whether to compress is made.
	settled bool
	// stallTold says that people know that the host takes nothing.
	stallTold bool
	release   func() // of the place to compress in; nil if there is none
}

// deliver copies the system, and returns how many paths the host has fetched from
// its substituters.
func (j *job) deliver(ctx context.Context, s surveyed, p *copyProgress) (fetched int, err error) {
	d := delivery{crossing: j.crossing(s.conn, j.host.Name, "the connection dropped while paths were sent"), s: s, progress: p, settled: j.choseCompression()}
	defer func() {
		if d.release != nil {
			d.release()
		}
	}()
	err = d.cross(ctx, &d)
	return d.fetched, err
}

// once makes one attempt, which may be ended because it is slow.
func (d *delivery) once(ctx context.Context) error {
	j := d.job
	within, stop := context.WithCancelCause(ctx)
	watched, told := d.watch(within, stop), d.tellStall(within)
	fetched, err := j.send(within, []nixcmd.StorePath{d.s.eval.Toplevel}, nixcmd.CopyOptions{
		To: nixcmd.CopyURL(j.host.User, j.host.Address), SSHOpts: d.conn.NixSSHOpts(), NoCheckSigs: true, Mark: d.mark,
		Progress: func(e nixcmd.CopyEvent) { j.copying(d.progress, e) },
	})
	stop(nil)
	watched()
	told()
	d.fetched += fetched
	var slow *slowLink
	if errors.As(err, &slow) && ctx.Err() == nil {
		d.compress(ctx, slow)
		_, _ = d.again(ctx) // the next attempt will tell
		return errOnceMore
	}
	return err
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
