package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// PreDeploy does everything short of deploying, and goes on after whatever is
// wrong: it checks the flake as Validate does and the syntax of its tracked Nix
// files, evaluates each host unless its result is known, builds it, asks the host whether it can be
// deployed to, and works out what deploying would change, as Plan does. See
// Result.Checks, and Result.Difference for the hosts that are ready.
//
// Nothing that a host runs or boots is changed. Its store gets the new system if
// nothing is wrong with the host.
func (f *Fleet) PreDeploy(ctx context.Context, hosts []Host) *Validation {
	var syntax Check
	var wg sync.WaitGroup
	wg.Go(func() { syntax = f.checkSyntax(ctx) })
	v := f.validate(ctx, hosts, func(ctx context.Context, j *job, heard func(nixcmd.Evaluation)) (Outcome, error) {
		return j.preDeploy(ctx, heard)
	})
	wg.Wait()
	v.Hosts.Duration, v.Hosts.Cancelled = time.Since(v.Hosts.Started), ctx.Err() != nil
	v.Checks = append([]Check{syntax}, v.Checks...)
	return v
}

// checkSyntax parses the Nix files that Git tracks, which are those that Nix
// sees of a flake.
func (f *Fleet) checkSyntax(ctx context.Context) Check {
	return f.timed(ctx, "syntax", demand{guess: namesMemory}, func(c *Check) error {
		files, err := f.nix.TrackedFiles(ctx)
		if errors.Is(err, nixcmd.ErrNoGit) {
			c.Text = "not looked at, for the flake is not in Git"
			return nil
		}
		if err != nil {
			return err
		}
		files = slices.DeleteFunc(files, func(name string) bool { return filepath.Ext(name) != ".nix" })
		bad, err := f.nix.CheckSyntax(ctx, files)
		for _, e := range bad {
			c.Problems = append(c.Problems, e)
		}
		return err
	})
}

// The checks of a host, in the order in which they are told.
const (
	checkEvaluates = "evaluates"
	checkBuilds    = "builds"
	checkAnswers   = "answers"
	checkFit       = "can be deployed to"
	checkFree      = "nobody else changes it"
	checkHealthy   = "is well now"
	checkSwitch    = "can switch live"
	checkSpace     = "has the space"
)

// readiness gathers the checks of a host.
type readiness struct {
	checks []Check
	// first is the first thing that is wrong, busy whether it is someone else.
	first error
	busy  bool
}

// add adds a check; problems that are nil are none.
func (r *readiness) add(name, text string, warnings []string, problems ...error) {
	c := Check{Name: name, Text: text, Warnings: warnings}
	for _, err := range problems {
		if err == nil {
			continue
		}
		if c.Problems = append(c.Problems, err); r.first == nil {
			r.first, r.busy = err, name == checkFree
		}
	}
	r.checks = append(r.checks, c)
}

func (j *job) preDeploy(ctx context.Context, heard func(nixcmd.Evaluation)) (Outcome, error) {
	var (
		ev                           nixcmd.Evaluation
		evalErr, buildErr, statusErr error
		conn                         Remote
		s                            *HostStatus
		wg                           sync.WaitGroup
		r                            readiness
	)
	wg.Go(func() {
		ev, evalErr = j.evaluateAloud(ctx)
		heard(ev)
		if evalErr == nil {
			buildErr = j.build(ctx, ev)
		}
	})
	wg.Go(func() { conn, s, statusErr = j.status(ctx) })
	wg.Wait()

	built := evalErr == nil && buildErr == nil
	r.add(checkEvaluates, "", once(ev.Warnings), evalErr)
	if evalErr == nil {
		r.add(checkBuilds, "", nil, buildErr)
	}
	r.add(checkAnswers, "", nil, statusErr)
	if statusErr == nil {
		j.checkHost(ctx, &r, conn, s)
	}
	var host surveyed
	var d *Difference
	if built && statusErr == nil {
		host = surveyed{conn: conn, survey: s.Survey, eval: ev}
		specialiseErr := j.specialise(ctx, &host)
		var warnings []string
		if differ := inhibited(s.Inhibitors, host.active()); differ != nil {
			warnings = append(warnings, inhibitorsDiffer(differ)+": it would be staged for the next boot")
		}
		r.add(checkSwitch, "", warnings, specialiseErr)
		var compareErr error
		d, compareErr = j.compare(ctx, &host)
		text, warnings, err := j.judgeSpace(d, compareErr)
		r.add(checkSpace, text, warnings, err)
	}
	j.set(func(res *Result) { res.Checks = r.checks })
	switch {
	case r.busy && ctx.Err() == nil:
		return Locked, r.first
	case r.first != nil:
		return "", r.first
	}
	plan := decide(s.Survey, ev.Toplevel, j.host.Specialisation, false)
	j.set(func(res *Result) { res.Reason = plan.Reason })
	if !plan.Deploy {
		return j.planNothing(host), nil
	}
	return j.planCopy(ctx, host, d, nil)
}

// checkHost judges what the host said of itself.
func (j *job) checkHost(ctx context.Context, r *readiness, conn Remote, s *HostStatus) {
	var unfit []error
	for _, err := range s.unfitness() {
		unfit = append(unfit, j.stepError(StepSurvey, err))
	}
	if err := j.tryPassword(ctx, surveyed{conn: conn, survey: s.Survey}); err != nil {
		unfit = append(unfit, j.stepError(StepSurvey, err))
	}
	r.add(checkFit, "", nil, unfit...)

	busy := s.busy(j.host.Name)
	var warnings []string
	if s.Uncommitted {
		text := s.unfinished()
		if !s.commits() {
			text += "; deploying mends it"
		}
		warnings = append(warnings, text)
	}
	r.add(checkFree, "", warnings, j.as(StepSurvey, busy))

	warnings = nil
	if len(s.FailedUnits) > 0 {
		warnings = append(warnings, "failed already: "+strings.Join(s.FailedUnits, ", "))
	}
	if len(s.RebootPending) > 0 {
		warnings = append(warnings, "a reboot is pending for: "+strings.Join(s.RebootPending, ", "))
	}
	r.add(checkHealthy, "", warnings)
}

// once is a list without repetitions: a specialisation says again what its parent
// says.
func once(list []string) []string {
	var out []string
	for _, text := range list {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// as makes a step's error of one; nil stays nil.
func (j *job) as(s Step, err error) error {
	if err == nil {
		return nil
	}
	return j.stepError(s, err)
}

// unfitness is all that unfit would say, one after the other mended.
func (s Survey) unfitness() []error {
	var all []error
	for _, mend := range []func(*Survey){
		func(s *Survey) { s.Nix, s.NixDaemon = or(s.Nix, "nix"), or(s.NixDaemon, "nix-daemon") },
		func(s *Survey) { s.Root = RootAlready },
		func(s *Survey) { s.Systemd = true },
	} {
		if err := s.unfit(); err != nil && (len(all) == 0 || all[len(all)-1].Error() != err.Error()) {
			all = append(all, err)
		}
		mend(&s)
	}
	return all
}

// inhibited says which switch inhibitors of a system of this machine's store differ
// from those of a live one, which are given.
func inhibited(live string, wanted nixcmd.StorePath) []SwitchInhibitor {
	text, err := os.ReadFile(filepath.Join(string(wanted), "switch-inhibitors"))
	if err != nil {
		return nil
	}
	return differingInhibitors(live, string(text))
}

// comfortable is how much free space should remain after a deployment.
const comfortable = 1 << 30

// judgeSpace compares what must be copied with the room that there is.
func (j *job) judgeSpace(d *Difference, err error) (text string, warnings []string, problem error) {
	if err != nil {
		return "", nil, err
	}
	text = counted(d.Copy.Paths, "path") + " to copy, " + bytesText(d.Copy.Bytes)
	switch left := d.FreeBytes - d.Copy.Bytes; {
	case d.FreeBytes < 0:
		warnings = append(warnings, "how much space the host's store has is not known")
	case d.NoRoom():
		return text, nil, j.stepError(StepCompare, noRoom(d.FreeBytes, d.Copy.Bytes))
	case left < comfortable:
		warnings = append(warnings, fmt.Sprintf("only %s would be left in the host's store", mebibytes(left)))
	}
	return text, warnings, nil
}
