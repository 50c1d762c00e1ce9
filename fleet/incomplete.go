package fleet

import (
	"context"
	"errors"
	"slices"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// errIncomplete says that the store lacks a derivation that was evaluated earlier,
// or something that it needs: the garbage collector may run at any time, and Nix's
// own evaluation cache looks at the derivation alone.
var errIncomplete = errors.New("its derivation is not in the store any more")

// avoided reports whether the host's evaluation was that of an earlier run.
func (j *job) avoided() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.result.Evaluation.Avoided
}

// instantiate evaluates again what is known to be a derivation that the store
// lacks, so that it is there.
func (j *job) instantiate(ctx context.Context, ev nixcmd.Evaluation) error {
	j.why = errIncomplete.Error()
	again, err := j.evaluateWith(ctx, nixcmd.EvaluateOptions{Fresh: true})
	if err == nil && again.Toplevel != ev.Toplevel {
		err = j.stepError(StepEvaluate, &wrongError{ev, again})
	}
	return err
}

// asked is how many store paths Nix is asked about at a time, by arguments.
const asked = 4000

// incomplete reports whether a build failed because the store lacks something of
// the derivation: what was evaluated, not what is built.
func (j *job) incomplete(ctx context.Context, drv nixcmd.StorePath, err error) bool {
	var build *nixcmd.BuildError
	var nix *nixcmd.Error
	if ctx.Err() != nil || !errors.As(err, &build) && !errors.As(err, &nix) || build != nil && len(build.Failed) > 0 {
		return false
	}
	needs, err := new(nixcmd.InputSources).Needs(ctx, drv)
	if err != nil {
		return ctx.Err() == nil
	}
	for some := range slices.Chunk(needs, asked) {
		missing, err := j.fleet.nix.Missing(ctx, some)
		if err != nil || len(missing) > 0 {
			return err == nil
		}
	}
	return false
}

// whole makes sure that the derivation of an evaluation is in the store.
func (j *job) whole(ctx context.Context, ev nixcmd.Evaluation) error {
	if !j.avoided() {
		return nil
	}
	missing, err := j.fleet.nix.Missing(ctx, []nixcmd.StorePath{ev.Derivation})
	if err != nil || len(missing) == 0 {
		return err
	}
	return j.instantiate(ctx, ev)
}
