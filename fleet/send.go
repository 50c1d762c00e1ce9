package fleet

import (
	"context"
	"errors"
	"regexp"
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
// what it can if it is set to, and returns how many that were. Those that are
// down cost their time, but not the copy.
func (j *job) send(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.CopyOptions) (fetched int, err error) {
	if !j.host.SubstituteOnTarget {
		return 0, j.fleet.nix.Copy(ctx, paths, opt)
	}
	fetched, err = j.sendSubstituting(ctx, paths, opt)
	if !errors.Is(err, errSubstitutersSilent) || ctx.Err() != nil {
		return fetched, err
	}
	j.warn(StepCopy, "the host's substituters did not answer within "+j.fleet.substituters.String()+"; sending everything from here")
	return fetched, j.fleet.nix.Copy(ctx, paths, opt)
}

// retrying is in Nix's warning of a download that is about to be tried again.
var retrying = regexp.MustCompile(`; retrying in \d+ ms`)

// sendSubstituting is given up if nothing has begun to be copied in time,
// neither from here nor from a substituter. Nix substitutes first, and only then
// says how many paths it will send.
func (j *job) sendSubstituting(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.CopyOptions) (fetched int, err error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	timer := time.AfterFunc(j.fleet.substituters, func() { giveUp(errSubstitutersSilent) })
	defer timer.Stop()

	opt.SubstituteOnDestination = true
	told, warned := opt.Progress, map[string]bool{}
	opt.Progress = func(e nixcmd.CopyEvent) {
		if strings.HasPrefix(e.Text, "copying ") {
			timer.Stop()
		}
		text, isWarning := strings.CutPrefix(e.Text, "warning: ")
		switch {
		case isWarning && !warned[text] && !retrying.MatchString(text):
			warned[text] = true
			j.warn(StepCopy, "the host says: "+text)
		case e.Path != "" && e.Expected == 0:
			fetched++
			j.progress(StepCopy, "fetching "+e.Path.Name(), 0, 0)
		default:
			e.Done -= fetched
			told(e)
		}
	}
	err = j.fleet.nix.Copy(ctx, paths, opt)
	return fetched, err
}
