package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// Validation is what came of Fleet.Validate.
type Validation struct {
	// Hosts says of each host whether it evaluates.
	Hosts *Report
	// Checks are those of the flake as a whole: `nix flake check` first, then its
	// own validators by name.
	Checks []Check
}

// Check is what came of one check of a flake.
type Check struct {
	// Name is what was checked, as one would type it: "nix flake check",
	// "lib.validateNetwork".
	Name string
	// Problems are what is wrong; nil if all is well.
	Problems []error
	// Warnings are what Nix and the flake warned of besides.
	Warnings []string
	// Text is what a validator returned, if that was text.
	Text string
	// Known says why the check was not made again, as "nothing has changed since
	// 14:02"; "" if it was.
	Known string
	// Duration is wall time.
	Duration time.Duration
}

// PositionOf is where in the flake a problem of a Check is, as in StepError: "" and
// 0 if that is not known.
func PositionOf(problem error) (file string, line, column int) {
	var p nixcmd.FlakeProblem
	if errors.As(problem, &p) {
		return p.File, p.Line, p.Column
	}
	return "", 0, 0
}

// ExitCode is the code a program should exit with: one of the Exit constants.
// Checks that fail make a run of good hosts ExitSomeFailed.
func (v *Validation) ExitCode() int {
	bad := 0
	for _, c := range v.Checks {
		if len(c.Problems) > 0 {
			bad++
		}
	}
	failed := 0
	for _, r := range v.Hosts.Results {
		if !r.Outcome.OK() {
			failed++
		}
	}
	switch {
	case v.Hosts.Cancelled:
		return ExitCancelled
	case bad+failed == 0:
		return ExitOK
	case failed == len(v.Hosts.Results):
		return ExitFailed
	}
	return ExitSomeFailed
}

// Validate evaluates each host, all outputs of the flake, and the flake's own
// validators, all at once and building nothing; no host is contacted. A host of
// which nothing has changed that it reads is not evaluated again, and the flake as a
// whole is not checked again if nothing at all has changed since all was well. Their
// warnings are heard again all the same; Nix's evaluation cache, which knows none, is
// left out.
//
// A validator is an output of the flake named lib.validate…; it fails if it
// throws or is false, and what it says is kept if it is text. What Nix finds
// wrong with a host, or warns of there, is only said of that host.
func (f *Fleet) Validate(ctx context.Context, hosts []Host) *Validation {
	f.announce(hosts, StepEvaluate)
	return f.validate(ctx, hosts, func(ctx context.Context, j *job, heard func(nixcmd.Evaluation)) (Outcome, error) {
		j.expect(StepEvaluate)
		ev, err := j.evaluateAloud(ctx)
		heard(ev)
		if err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Reason = short(ev.Toplevel) })
		return Evaluated, nil
	})
}

// validate checks the flake while each host is worked on, by work that evaluates
// it and passes on what it heard.
func (f *Fleet) validate(ctx context.Context, hosts []Host, do func(_ context.Context, _ *job, heard func(nixcmd.Evaluation)) (Outcome, error)) *Validation {
	v := &Validation{}
	var mu sync.Mutex
	said := map[string]bool{} // warnings, by hosts
	seen := f.recollect(ctx)
	checked := make(chan []Check, 1)
	seen.background.Go(func() { checked <- seen.checks(ctx) })
	v.Hosts = f.runWith(ctx, seen, AtOnce, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		return do(ctx, j, func(ev nixcmd.Evaluation) {
			mu.Lock()
			defer mu.Unlock()
			for _, w := range ev.Warnings {
				said[w] = true
			}
		})
	})
	v.Checks = <-checked
	v.Hosts.Duration, v.Hosts.Cancelled = time.Since(v.Hosts.Started), ctx.Err() != nil
	flake := &v.Checks[0]
	flake.Problems = beyondHosts(flake.Problems, v.Hosts)
	flake.Warnings = slices.DeleteFunc(slices.Clone(flake.Warnings), func(w string) bool { return said[w] })
	return v
}

// checksHost is what the checks of a flake are remembered as; no host can have
// this name.
const checksHost = "+checks"

// rememberedCheck is a check that found nothing wrong.
type rememberedCheck struct {
	Name     string
	Warnings []string `json:",omitempty"`
	Text     string   `json:",omitempty"`
}

// checks are those of the flake as a whole, the first that of Nix. They are not
// made again for a tree of which nothing was wrong.
func (s *recollection) checks(ctx context.Context) []Check {
	h := Host{Name: checksHost}
	known := s.ask(h)
	var remembered []rememberedCheck
	if known.result != nil && (json.Unmarshal([]byte(known.result.Derivation), &remembered) != nil || len(remembered) == 0) {
		known.result = nil
	}
	if known.result != nil && !s.fleet.verify {
		all := make([]Check, len(remembered))
		for i, c := range remembered {
			all[i] = Check{Name: c.Name, Warnings: c.Warnings, Text: c.Text, Known: "nothing has changed since " + clock(known.result.At)}
		}
		return all
	}
	var flake Check
	var validators []Check
	var both sync.WaitGroup
	both.Go(func() { flake = s.fleet.checkFlake(ctx) })
	both.Go(func() { validators = s.fleet.runValidators(ctx) })
	both.Wait()
	all := append([]Check{flake}, validators...)
	remembered = nil
	for _, c := range all {
		if len(c.Problems) > 0 {
			if known.result != nil {
				all[0].Problems = append(all[0].Problems, errors.New("wrong prediction: all checks of the flake were taken to be well"))
			}
			return all
		}
		remembered = append(remembered, rememberedCheck{c.Name, c.Warnings, c.Text})
	}
	if text, err := json.Marshal(remembered); err == nil && ctx.Err() == nil && known.result == nil {
		s.note(h, &readset.Result{Derivation: string(text)}, func() string { return "checks are of the flake as a whole" })
	}
	return all
}

// beyondHosts leaves out what Nix finds wrong with hosts that failed.
func beyondHosts(problems []error, hosts *Report) []error {
	said := map[string]bool{}
	for _, r := range hosts.Results {
		if inst, err := nixcmd.FlakeAttr(".", "nixosConfigurations", r.Host.Attr); err == nil && r.Err != nil {
			said[strings.TrimPrefix(inst.String(), ".#")] = true
		}
	}
	var others []error
	for _, err := range problems {
		var p nixcmd.FlakeProblem
		if !errors.As(err, &p) || !said[p.Output] {
			others = append(others, err)
		}
	}
	return others
}

// timed makes a check of work that needs an evaluator.
func (f *Fleet) timed(ctx context.Context, name string, d demand, work func(*Check) error) Check {
	c := Check{Name: name}
	claim, release, err := f.admit(ctx, d, nil)
	if err != nil {
		c.Problems = []error{err}
		return c
	}
	defer release()
	began := time.Now()
	if err := work(&c); err != nil {
		c.Problems = append(c.Problems, err)
	}
	c.Duration = time.Since(began)
	if claim.short > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("only %s of memory could be had and it may take %s, so no other evaluation ran beside it",
			bytesText(claim.short), bytesText(claim.bytes)))
	}
	return c
}

func (f *Fleet) checkFlake(ctx context.Context) Check {
	// One evaluator, for all hosts.
	past, _ := f.history.of(checkName)
	d := f.demandOf(past)
	d.guess *= 2
	return f.timed(ctx, "nix flake check", d, func(c *Check) error {
		answer, err := f.nix.CheckFlake(ctx)
		if err == nil && len(answer.Problems) == 0 {
			f.history.add(checkName, learnt{Memory: answer.Usage.MaxRSS})
		}
		c.Warnings = answer.Warnings
		for _, p := range answer.Problems {
			c.Problems = append(c.Problems, p)
		}
		return err
	})
}

const validatorPrefix = "validate"

func (f *Fleet) runValidators(ctx context.Context) []Check {
	var names []string
	look := f.timed(ctx, "lib."+validatorPrefix+"*", demand{guess: namesMemory}, func(c *Check) (err error) {
		names, err = f.validators(ctx)
		var old *nixcmd.TooOldError
		if errors.As(err, &old) {
			c.Text = "not looked for, which needs Nix " + old.Minimum.String()
			return nil
		}
		return err
	})
	if len(look.Problems) > 0 || look.Text != "" {
		return []Check{look}
	}
	checks := make([]Check, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			checks[i] = f.timed(ctx, "lib."+name, f.demandOf(learnt{}), func(c *Check) error { return f.runValidator(ctx, name, c) })
		})
	}
	wg.Wait()
	return checks
}

// validators are the names of the flake's validators, sorted.
func (f *Fleet) validators(ctx context.Context) ([]string, error) {
	root, err := nixcmd.FlakeOutputs(".")
	if err != nil {
		return nil, err
	}
	outputs, err := f.nix.AttrNames(ctx, root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, o := range outputs {
		if o != "lib" {
			continue
		}
		lib, err := nixcmd.FlakeAttr(".", "lib")
		if err != nil {
			return nil, err
		}
		all, err := f.nix.AttrNames(ctx, lib)
		if err != nil {
			return nil, err
		}
		for _, name := range all {
			if strings.HasPrefix(name, validatorPrefix) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func (f *Fleet) runValidator(ctx context.Context, name string, c *Check) error {
	inst, err := nixcmd.FlakeAttr(".", "lib", name)
	if err != nil {
		return err
	}
	value, err := f.nix.Value(ctx, inst)
	var failed *nixcmd.EvalError
	if errors.As(err, &failed) { // without what the check's name says already
		return nixcmd.FlakeProblem{Message: failed.Message, File: failed.File, Line: failed.Line, Column: failed.Column}
	}
	if err != nil {
		return err
	}
	if string(value) == "false" {
		return errors.New("it is false")
	}
	if err := json.Unmarshal(value, &c.Text); err != nil {
		c.Text = "" // any other value says nothing
	}
	return nil
}
