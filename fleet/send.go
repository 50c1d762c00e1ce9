package fleet

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// substitutersPatience is how long a host's substituters may take to say what
// they have. Nix bounds neither a connection that is not answered before 2.29
// nor, below five minutes, one that falls silent, and a host takes no such
// setting from here.
const substitutersPatience = 30 * time.Second

var errSubstitutersSilent = errors.New("the host's substituters did not answer in time")

// send copies paths to the job's host, which fetches from its own substituters
// what it can if it is set to. Those that are down cost their time, but not the
// copy.
func (j *job) send(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	if !j.host.SubstituteOnTarget {
		return j.fleet.nix.Copy(ctx, paths, opt)
	}
	err := j.sendSubstituting(ctx, paths, opt)
	if !errors.Is(err, errSubstitutersSilent) || ctx.Err() != nil {
		return err
	}
	j.warn(StepCopy, "the host's substituters did not answer within "+j.fleet.substituters.String()+"; sending everything from here")
	return j.fleet.nix.Copy(ctx, paths, opt)
}

// sendSubstituting is given up if nothing has begun to be copied in time,
// neither from here nor from a substituter.
func (j *job) sendSubstituting(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	timer := time.AfterFunc(j.fleet.substituters, func() { giveUp(errSubstitutersSilent) })
	defer timer.Stop()

	opt.SubstituteOnDestination = true
	told := opt.Progress
	warned := map[string]bool{}
	opt.Progress = func(e nixcmd.CopyEvent) {
		text, isWarning := strings.CutPrefix(e.Text, "warning: ")
		switch {
		case isWarning:
			if !warned[text] {
				warned[text] = true
				j.warn(StepCopy, text)
			}
		case strings.HasPrefix(e.Text, "copying "):
			timer.Stop()
		}
		told(e)
	}
	return j.fleet.nix.Copy(ctx, paths, opt)
}
