package fleet

import (
	"context"
	"os"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// Weight is what one path means to the size of a system's closure.
type Weight = nixcmd.Weight

// Analysis is what makes a system as large as it is.
type Analysis struct {
	// System is the system, Live whether it is what the host runs rather than
	// what the flake wants.
	System nixcmd.StorePath
	Live   bool
	// Bytes is the size of its closure in bytes of NAR.
	Bytes int64
	// Paths are all paths of it, the largest first. The system is one of them.
	Paths []Weight
	// Growth compares it with the systems there are to compare with; nil if there
	// are none.
	Growth []Growth
}

// Growth is how a system differs from another of the same host.
type Growth struct {
	// Against is the other system, Name says for people which one it is.
	Against nixcmd.StorePath
	Name    string
	// Packages compares the two, the other one first.
	Packages PackageDiff
}

// AnalyzeOptions are options of Fleet.Analyze. The zero value is useful.
type AnalyzeOptions struct {
	// Live analyzes what the host runs; nothing is evaluated or built.
	Live bool
}

// Analyze says of each host's system what makes it as large as it is; see
// Result.Analysis. The system is the one that the flake wants, which is built
// here and becomes Built; with AnalyzeOptions.Live it is the one that the host
// runs, which becomes Reached.
//
// What the flake wants is compared with what the host runs, and with the
// system that was built here last before. A host that cannot be asked costs a
// warning.
func (f *Fleet) Analyze(ctx context.Context, hosts []Host, opt AnalyzeOptions) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		if opt.Live {
			return j.analyzeLive(ctx)
		}
		return j.analyzeWanted(ctx)
	})
}

func (j *job) analyzeLive(ctx context.Context) (Outcome, error) {
	conn, s, err := j.connectAndSurvey(ctx)
	if err != nil {
		return "", err
	}
	return j.weigh(ctx, Reached, func(ctx context.Context) (*Analysis, []nixcmd.PathInfo, error) {
		if s.Current == "" {
			return nil, nil, &unfitError{"the host runs no NixOS system", "leave out -live for the one that the flake wants"}
		}
		closure, err := remoteClosure(ctx, conn, s.Current)
		return &Analysis{System: s.Current, Live: true}, closure, err
	})
}

func (j *job) analyzeWanted(ctx context.Context) (Outcome, error) {
	// The host is asked meanwhile.
	type answer struct {
		path    nixcmd.StorePath
		closure []nixcmd.PathInfo
		err     error
	}
	asking, giveUp := context.WithCancelCause(ctx)
	live := make(chan answer, 1)
	go func() {
		path, closure, err := j.liveClosure(asking)
		live <- answer{path, closure, err}
	}()
	host := func() answer { a := <-live; live <- a; return a }
	defer host()
	defer giveUp(errOtherHalfFailed)

	ev, err := j.evaluate(ctx, false)
	if err != nil {
		return "", err
	}
	last := j.lastBuilt()
	j.keepBuilt = true
	if err := j.build(ctx, ev); err != nil {
		return "", err
	}
	h := host()
	return j.weigh(ctx, Built, func(ctx context.Context) (*Analysis, []nixcmd.PathInfo, error) {
		wanted, err := j.builtClosure(ctx, ev.Toplevel)
		if err != nil {
			return nil, nil, err
		}
		a := &Analysis{System: ev.Toplevel}
		grew := func(name string, against nixcmd.StorePath, closure []nixcmd.PathInfo) {
			a.Growth = append(a.Growth, Growth{Against: against, Name: name, Packages: nixcmd.Diff(closure, wanted)})
		}
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case h.err != nil:
			j.warn(StepCompare, "not compared with what the host runs: "+h.err.Error())
		case h.path != "":
			grew("what it runs", h.path, h.closure)
		}
		if last != "" && last != ev.Toplevel {
			// It may have been garbage-collected, which is nobody's mistake.
			if closure, err := j.fleet.nix.Closure(ctx, last); err == nil {
				grew("what was built here before", last, closure)
			}
		}
		return a, wanted, nil
	})
}

// liveClosure asks the host what it runs, without telling: nothing depends on
// it. It goes beside what has steps, and within the limit of sessions.
func (j *job) liveClosure(ctx context.Context) (nixcmd.StorePath, []nixcmd.PathInfo, error) {
	if err := j.fleet.stages.sessions.Acquire(ctx, 1); err != nil {
		return "", nil, context.Cause(ctx)
	}
	defer j.fleet.stages.sessions.Release(1)
	var s Survey
	conn, err := j.connect(ctx, func(ctx context.Context, r Remote) (err error) {
		s, err = survey(ctx, r, j.host.Become)
		return err
	})
	if err != nil || s.Current == "" {
		return "", nil, err
	}
	j.set(func(r *Result) { r.Live = s.Current })
	closure, err := remoteClosure(ctx, conn, s.Current)
	return s.Current, closure, err
}

// remoteClosure lists the closure of a system on its host.
func remoteClosure(ctx context.Context, conn Remote, system nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	res, err := conn.Run(ctx, sshpool.Cmd{Argv: append([]string{"nix"}, nixcmd.ClosureArgs(system)...)})
	if err != nil {
		return nil, err
	}
	return nixcmd.ParsePathInfo(res.Stdout)
}

// lastBuilt is the system that was built here last, "" if there is none.
func (j *job) lastBuilt() nixcmd.StorePath {
	link, err := j.fleet.rootLink(j.host)
	if err != nil {
		return ""
	}
	target, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	return storePath(target)
}

// weigh makes the analysis of what work found, and the outcome if all is well.
func (j *job) weigh(ctx context.Context, good Outcome, work func(context.Context) (*Analysis, []nixcmd.PathInfo, error)) (Outcome, error) {
	err := j.step(ctx, StepCompare, j.fleet.stages.queries, func(ctx context.Context) (string, error) {
		a, closure, err := work(ctx)
		if err != nil {
			return "", err
		}
		if a.Paths, err = nixcmd.Weigh(a.System, closure); err != nil {
			return "", err
		}
		for _, w := range a.Paths {
			a.Bytes += w.Size
		}
		j.set(func(r *Result) { r.Analysis, r.Reason = a, short(a.System) })
		return counted(len(a.Paths), "path"), nil
	})
	if err != nil {
		return "", err
	}
	return good, nil
}
