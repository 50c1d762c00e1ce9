package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// evaluate finds out which system the flake wants for the host.
func (j *job) evaluate(ctx context.Context, showTrace bool) (nixcmd.Evaluation, error) {
	return j.evaluateUnlessKnown(ctx, nixcmd.EvaluateOptions{ShowTrace: showTrace, Fresh: j.fleet.fresh})
}

// evaluateAloud is evaluate for whoever wants to hear every warning, which Nix's
// evaluation cache does not know.
func (j *job) evaluateAloud(ctx context.Context) (nixcmd.Evaluation, error) {
	return j.evaluateUnlessKnown(ctx, nixcmd.EvaluateOptions{Fresh: true})
}

func (j *job) evaluateUnlessKnown(ctx context.Context, opt nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	known := j.recall()
	if r := known.result; r != nil && opt.Fresh && r.Hidden == fromNixsCache {
		known = recalled{why: "its warnings are not known"}
		j.seen.stamp()
	}
	if known.result != nil && !j.fleet.verify {
		return j.remembered(ctx, known)
	}
	j.why = known.evaluating()
	opt.Fresh = opt.Fresh || known.result != nil
	var ev nixcmd.Evaluation
	err := errAlone
	if m := j.seen.parties.of(j.host); m != nil && !opt.Fresh {
		ev, err = j.evaluateTogether(ctx, m)
	}
	if errors.Is(err, errAlone) {
		opt.WatchOpens = j.seen.watches(known.reads)
		ev, err = j.evaluateWith(ctx, opt)
	}
	if err == nil {
		err = j.holdTo(j.seen, known, ev)
	}
	ev.Imports, ev.Opens = nil, nil // thousands of names, which nobody needs any more
	return ev, err
}

// evaluateAfresh is evaluate without anything that was known before.
func (j *job) evaluateAfresh(ctx context.Context, showTrace bool) (nixcmd.Evaluation, error) {
	return j.evaluateWith(ctx, nixcmd.EvaluateOptions{ShowTrace: showTrace, Fresh: true})
}

func (j *job) evaluateWith(ctx context.Context, opt nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	var ev nixcmd.Evaluation
	err := j.evaluating(ctx, func(ctx context.Context, c *claim) (string, error) {
		opt.Started, opt.Heap = c.watch, c.heap()
		inst, err := installable(j.fleet.flake, j.host)
		if err != nil {
			return "", err
		}
		if j.why != "" {
			j.progress(StepEvaluate, j.why, 0, 0)
		}
		ev, err = j.fleet.nix.Evaluate(ctx, inst, opt)
		j.used(StepEvaluate, ev.Usage)
		j.tookMemory(ev, opt.Heap, err)
		for _, w := range once(ev.Warnings) { // a specialisation repeats its host's
			j.warn(StepEvaluate, w)
		}
		if err != nil {
			why := ""
			if ctx.Err() == nil {
				why = j.why
				j.set(func(r *Result) { r.Evaluation = Verdict{Reason: why} })
			}
			return why, j.explainMissing(ctx, j.seen.explainAbsent(err))
		}
		return j.evaluated(ev), nil
	})
	return ev, err
}

// evaluated takes note of the answer, and says it in one line.
func (j *job) evaluated(ev nixcmd.Evaluation) string {
	j.set(func(r *Result) { r.Wanted, r.Evaluation = ev.Toplevel, Verdict{Reason: j.why} })
	text := short(ev.Toplevel)
	if ev.Cached {
		j.nothing(StepEvaluate)
		text += ", from Nix's cache"
	}
	if j.why != "" {
		text += ": " + j.why
	}
	return text
}

// evaluating does the step that evaluates, once there are a core and the memory
// for it.
func (j *job) evaluating(ctx context.Context, work func(context.Context, *claim) (string, error)) error {
	c, release, err := j.admit(ctx)
	if err != nil {
		return j.stepError(StepEvaluate, err)
	}
	defer release()
	return j.step(ctx, StepEvaluate, nil, func(ctx context.Context) (string, error) { return work(ctx, c) })
}

// surveyed is what is known of a host before anything is done to it.
type surveyed struct {
	conn   Remote
	survey Survey
	eval   nixcmd.Evaluation
	// generation is the number of the generation that eval's toplevel has in the
	// host's profile, if it is to be switched to; 0 if it is to have a new one.
	generation int
	// specialised is the specialisation of eval's toplevel that is to be live; "" if
	// that is the toplevel itself.
	specialised nixcmd.StorePath
	// stores is nil until they were asked; closure is that of eval's toplevel, as this
	// machine's store has it, and likewise.
	stores  *stores
	closure []nixcmd.PathInfo
}

// active is what is to be live.
func (s surveyed) active() nixcmd.StorePath { return or(s.specialised, s.eval.Toplevel) }

// surveyAndEvaluate asks the host and Nix at the same time. When one of the two
// fails the other is given up, since the host will get no further.
func (j *job) surveyAndEvaluate(ctx context.Context) (surveyed, error) {
	var s surveyed
	var surveyErr, evalErr error
	both, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)

	var wg sync.WaitGroup
	wg.Go(func() {
		if s.conn, s.survey, surveyErr = j.connectAndSurvey(both); surveyErr != nil {
			giveUp(errOtherHalfFailed)
		}
	})
	wg.Go(func() {
		if s.eval, evalErr = j.evaluate(both, false); evalErr != nil {
			giveUp(errOtherHalfFailed)
		}
	})
	wg.Wait()
	for _, err := range []error{surveyErr, evalErr} {
		if err != nil && !errors.Is(err, errOtherHalfFailed) {
			return s, err
		}
	}
	return s, errors.Join(surveyErr, evalErr)
}

var errNoAnswer = errors.New("the host did not answer in time, though it took the connection; is its login shell or its disk stuck?")

var errOtherHalfFailed = errors.New("given up because the host's other half failed")

// connectAndSurvey opens the host's connection and asks the host what it runs.
func (j *job) connectAndSurvey(ctx context.Context) (conn Remote, s Survey, err error) {
	err = j.step(ctx, StepSurvey, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
		conn, err = j.connect(ctx, func(ctx context.Context, r Remote) error {
			s, err = survey(ctx, r, j.host.Become)
			return err
		})
		if err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Live = s.Current })
		j.conn, j.said = conn, s
		j.tellRestored(s)
		j.becomesRoot(s.Root)
		return s.String(), nil
	})
	return conn, s, err
}

// connect opens the host's connection and tries it out with something that may
// be done twice. A connection kept from an earlier run may be dead without
// anybody knowing, as after the host's power cut: then another is made.
//
// A host that takes the connection and then does not answer is given up.
func (j *job) connect(ctx context.Context, try func(context.Context, Remote) error) (Remote, error) {
	return j.connectTo(ctx, j.host, try)
}

// connectTo is connect for any host.
func (j *job) connectTo(ctx context.Context, h Host, try func(context.Context, Remote) error) (Remote, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, j.fleet.patience, errNoAnswer)
	defer cancel()
	for again := false; ; again = true {
		conn, err := j.fleet.dialer.Connect(ctx, h)
		if err != nil {
			return nil, err
		}
		if err = try(ctx, conn); err == nil || again || !dropped(err) {
			return conn, err
		}
	}
}

// build makes the derivation's outputs valid where the host's system is built,
// and keeps them from being garbage-collected until the host's next build there;
// see place.keep.
func (j *job) build(ctx context.Context, ev nixcmd.Evaluation) error {
	if built, err := j.kept(ctx, ev); built || err != nil {
		return err
	}
	err := j.realise(ctx, ev)
	if !errors.Is(err, errIncomplete) {
		return err
	}
	if err := j.instantiate(ctx, ev); err != nil {
		return err
	}
	ev.Cached = false // its derivation is complete now
	return j.realise(ctx, ev)
}

// realise is build of a derivation that the store has, else errIncomplete.
func (j *job) realise(ctx context.Context, ev nixcmd.Evaluation) error {
	return j.step(ctx, StepBuild, j.buildLimit(), func(ctx context.Context) (string, error) {
		at, err := j.buildPlace(ctx, ev.Toplevel)
		if err != nil {
			return "", err
		}
		defer at.done()
		built, warned, now := map[nixcmd.StorePath]string{}, map[string]bool{}, buildProgress{}
		var totals nixcmd.BuildTotals
		paths, err := at.build(ctx, ev.Derivation, nixcmd.BuildOptions{
			OutLink: at.link, Cache: j.cache, Store: at.store, SSHOpts: at.sshOpts, Usage: func(u Usage) { j.used(StepBuild, u) },
		}, func(e nixcmd.BuildEvent) {
			totals = e.Totals
			if now.take(e) {
				j.emit(Event{Step: StepBuild, Kind: KindProgress, Text: now.text, Done: now.done, Expected: now.expected, Bytes: now.bytes, BytesExpected: now.bytesExpected})
			}
			switch e.Kind {
			case nixcmd.BuildStarted:
				built[e.Derivation] = e.Machine
			case nixcmd.BuildLog:
				j.log(StepBuild, e.Text)
			case nixcmd.BuildMessage:
				if e.Level == nixcmd.LevelWarn && !warned[e.Text] {
					warned[e.Text] = true
					j.warn(StepBuild, strings.TrimPrefix(e.Text, "warning: "))
				}
			}
		})
		if err != nil && (j.avoided() || ev.Cached) && j.incomplete(ctx, ev.Derivation, err) {
			return "", errIncomplete
		}
		if err != nil {
			return "", at.explain(ctx, err)
		}
		if len(paths) != 1 || paths[0] != ev.Toplevel {
			return "", fmt.Errorf("the build gave %v instead of %s", paths, ev.Toplevel)
		}
		if err := at.keep(ctx, ev.Toplevel); err != nil {
			return "", err
		}
		work := BuildWork{Derivations: len(built)}
		if at.name() == "" { // elsewhere what is sent there counts as well
			work.Paths, work.Bytes = totals.FetchesDone, totals.BytesDone
		}
		shares := at.shares(built)
		j.set(func(r *Result) { r.Build, r.BuiltOn, r.Builders = work, at.name(), shares })
		if len(built) == 0 && work.Paths > 0 {
			return counted(work.Paths, "path") + " downloaded", nil
		}
		if len(built) == 0 {
			j.nothing(StepBuild)
			return "was built before" + at.where(), nil
		}
		return counted(len(built), "derivation") + at.where() + sharesText(shares), nil
	})
}

// rootLink is where the garbage collector's root of the host's last build is.
func (f *Fleet) rootLink(h Host) (string, error) {
	dir := filepath.Join(f.stateDir, "roots", f.Inventory.id())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", f.unkept("the built system", err)
	}
	return filepath.Join(dir, h.Name), nil
}
