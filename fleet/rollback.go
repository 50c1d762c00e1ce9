package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// RollbackOptions are options of Fleet.Rollback. The zero value is useful.
type RollbackOptions struct {
	// To is the generation to go to: its number, or the store path of its system.
	// Empty means the system before the present one; see Fleet.Rollback.
	To string
	// Planned is the report of a PlanRollback: each host goes to the generation
	// that was found there, and To is not looked at. A host for which none was
	// found fails untouched. nil means what the hosts say now.
	Planned *Report
	// Specialisation takes the place of every Host.Specialisation in this run; nil
	// leaves them as they are, and "" is the system itself. A generation that has none
	// of that name is an error with it, and gone back to itself, with a warning,
	// without it.
	Specialisation *string
	// NoCheck is as in DeployOptions.
	NoCheck bool
	// SkipHealth leaves out the checks of Inventory.Health.
	SkipHealth bool
	// Abandon is as in DeployOptions.
	Abandon <-chan struct{}
}

// Rollback brings each host back to an earlier generation of its system profile.
// Nothing is evaluated, built or copied, so that it needs neither Nix here nor a
// flake that evaluates. All hosts are worked on at once. The rest is as in Deploy:
// the system is activated in a detached unit, checked and verified, and only then
// the profile switches to its generation and it becomes the one that boots.
// Outcomes are those of Deploy; RolledBack is not among them.
//
// The system before the present one is
//   - for a host that runs what it boots: what the last deployment found the
//     profile at, if the host remembers it (Flotilla writes it down there at each
//     commit that changes the profile); or else the newest generation that is older
//     than the profile's and another system;
//   - for a host that runs an older generation than it boots, so that a system is
//     staged: the one it runs;
//   - for a host that runs anything else than it boots, such as a system that was
//     never confirmed: the one it boots.
//
// A host that runs a specialisation counts as one that runs the system that it is of.
// So a deployment that changed nothing does not make it go back any further.
func (f *Fleet) Rollback(ctx context.Context, hosts []Host, opt RollbackOptions) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) { return j.rollback(ctx, opt) })
}

// PlanRollback works out what Rollback with the same options would do to each
// host, and does none of it. The outcomes are Unchanged and Compared, with
// Result.Generation and a Difference.
func (f *Fleet) PlanRollback(ctx context.Context, hosts []Host, opt RollbackOptions) *Report {
	r := f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) { return j.planRollback(ctx, opt) })
	r.Planned = true
	return r
}

// CheckGeneration says what is wrong with a RollbackOptions.To, nil if it could
// be a generation's number or path.
func CheckGeneration(to string) error {
	if _, err := nixcmd.ParseStorePath(to); err == nil || to == "" {
		return nil
	}
	if n, err := strconv.ParseInt(to, 10, 32); err != nil || n < 1 {
		return &hintedError{fmt.Errorf("%q is no generation", to), "give a number above 0 or a store path, as `generations` shows them"}
	}
	return nil
}

func (j *job) rollback(ctx context.Context, opt RollbackOptions) (Outcome, error) {
	s, plan, err := j.decideRollback(ctx, opt)
	if err != nil {
		return "", err
	}
	if !plan.Deploy {
		j.set(func(r *Result) { r.RebootFor = s.survey.RebootPending })
		return Unchanged, nil
	}
	if err := j.unfit(ctx, s); err != nil {
		return "", j.stepError(StepSurvey, err)
	}
	if !opt.SkipHealth {
		if j.checkup, err = j.startCheckup(ctx, s); err != nil {
			return "", err
		}
		defer j.checkup.end()
	}
	outcome, err := j.activate(ctx, s, opt.Abandon)
	j.changed(s, func() (PackageDiff, string) { return opt.packages(j.host, s.survey.Current) })
	return outcome, err
}

// packages are what was planned for a host that ran a system then; unknown says why
// that is not known.
func (o RollbackOptions) packages(h Host, live nixcmd.StorePath) (d PackageDiff, unknown string) {
	if o.Planned != nil {
		for _, r := range o.Planned.Results {
			if r.Host.Name == h.Name && r.Difference != nil && r.Live == live {
				return r.Difference.Packages, r.Difference.PackagesUnknown
			}
		}
	}
	return d, "they were not compared before"
}

func (j *job) planRollback(ctx context.Context, opt RollbackOptions) (Outcome, error) {
	s, plan, err := j.decideRollback(ctx, opt)
	if err != nil {
		return "", err
	}
	if !plan.Deploy {
		return j.planNothing(s), nil
	}
	unfit := j.unfit(ctx, s)
	if unfit != nil && s.survey.Nix == "" {
		return "", j.stepError(StepSurvey, unfit)
	}
	var d *Difference
	err = j.step(ctx, StepCompare, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
		if s.stores, err = askClosures(ctx, s.conn, s.survey.liveToplevel(), s.eval.Toplevel); err != nil {
			return "", err
		}
		d = difference(s.stores, s.survey.FreeBytes)
		j.set(func(r *Result) { r.Difference = d })
		return "", nil
	})
	if err != nil {
		return "", err
	}
	j.tellHeld(s, d)
	if unfit != nil {
		d.UnitsUnknown = unfit.Error()
		return "", j.stepError(StepSurvey, unfit)
	}
	if err := j.dryActivate(ctx, s, d, opt.Abandon); err != nil {
		return "", err
	}
	if opt.NoCheck {
		d.Inhibitors = nil
	}
	j.set(func(r *Result) { r.RebootFor = d.RebootFor })
	return Compared, nil
}

// decideRollback asks the host, and says what comes of it.
func (j *job) decideRollback(ctx context.Context, opt RollbackOptions) (surveyed, Plan, error) {
	to := opt.To
	if opt.Planned != nil {
		i := slices.IndexFunc(opt.Planned.Results, func(r Result) bool { return r.Host.Name == j.host.Name })
		if i < 0 || opt.Planned.Results[i].Generation == nil {
			return surveyed{}, Plan{}, j.stepError(StepSurvey, errNotPlanned)
		}
		to = strconv.Itoa(opt.Planned.Results[i].Generation.Number)
	}
	conn, survey, h, err := j.generations(ctx)
	if err != nil {
		return surveyed{}, Plan{}, err
	}
	g, err := h.target(survey, to)
	if err == nil {
		err = unchangedSince(opt.Planned, j.host, g)
	}
	if err != nil {
		return surveyed{}, Plan{}, j.stepError(StepSurvey, err)
	}
	s := surveyed{conn: conn, survey: survey, eval: nixcmd.Evaluation{Toplevel: g.Path}, generation: g.Number}
	if err := j.specialiseGeneration(&s, g, opt.Specialisation); err != nil {
		return surveyed{}, Plan{}, j.stepError(StepSurvey, err)
	}
	j.noCheck = opt.NoCheck
	plan := decideGeneration(survey, g, s.active())
	j.set(func(r *Result) { r.Wanted, r.Generation, r.Reason = g.Path, &g, plan.Reason })
	if plan.Deploy {
		j.expect(StepActivate, StepCommit)
	}
	j.emit(Event{Kind: KindDecided, Text: plan.Reason})
	return s, plan, nil
}

var errNotPlanned = errors.New("no generation to go to was found before")

// unchangedSince says whether a generation is still the system that was planned.
func unchangedSince(planned *Report, h Host, g Generation) error {
	if planned == nil {
		return nil
	}
	for _, r := range planned.Results {
		if r.Host.Name == h.Name && r.Generation.Path != g.Path {
			return &hintedError{fmt.Errorf("generation %d is no longer %s, but %s", g.Number, short(r.Generation.Path), short(g.Path)),
				"someone else is changing this host; try again once they are done"}
		}
	}
	return nil
}

// specialiseGeneration finds the specialisation of a generation that is to be live.
func (j *job) specialiseGeneration(s *surveyed, g Generation, asked *string) error {
	name := j.host.Specialisation
	if asked != nil {
		if name = *asked; CheckSpecialisation(name) != nil {
			return CheckSpecialisation(name)
		}
	}
	s.specialised = g.specialisations[name]
	switch of := fmt.Sprintf("generation %d, %s,", g.Number, short(g.Path)); {
	case name == "" || s.specialised != "":
		return nil
	case asked != nil:
		return noSpecialisation(name, of, g.specialisations)
	default:
		j.warn(StepSurvey, noSpecialisation(name, of, g.specialisations).Error()+": going back to the system itself")
		return nil
	}
}

// decideGeneration compares what a host runs and boots with a generation, of which
// active is to be live.
func decideGeneration(s Survey, g Generation, active nixcmd.StorePath) Plan {
	name, _ := g.liveAs(active)
	to := fmt.Sprintf("generation %d, %s", g.Number, specialised(g.Path, name))
	switch {
	case s.Current == active && s.Profile == g.Path && s.Uncommitted:
		return Plan{true, fmt.Sprintf("it runs %s, but %s", to, s.unfinished())}
	case s.Current == active && s.Profile == g.Path:
		return Plan{false, "it already runs and boots " + to}
	case s.Current == active && s.Uncommitted:
		return Plan{true, fmt.Sprintf("it runs %s, but %s: back to what it runs", to, s.bootsUnknown())}
	case s.Current == active:
		return Plan{true, fmt.Sprintf("it runs %s, but boots %s: back to what it runs", to, short(s.Profile))}
	case s.Profile == g.Path && s.Uncommitted:
		return Plan{true, fmt.Sprintf("from %s back to what its profile is at: %s", s.live(), to)}
	case s.Profile == g.Path && active == g.Path:
		return Plan{true, fmt.Sprintf("from %s back to what it boots: %s", s.live(), to)}
	}
	return Plan{true, fmt.Sprintf("from %s to %s", s.live(), to)}
}

// target is the generation to go to: that which to names, or else the one before.
func (h profileHistory) target(s Survey, to string) (Generation, error) {
	if len(h.all) == 0 {
		return Generation{}, &hintedError{errors.New("the host has no system profile, and so no generations"), "deploy to it"}
	}
	if err := CheckGeneration(to); err != nil {
		return Generation{}, err
	}
	var g *Generation
	number, err := strconv.Atoi(to)
	switch {
	case to == "":
		if g = h.previous(s); g == nil {
			return Generation{}, &hintedError{fmt.Errorf("there is no generation before %s", short(s.Current)), h.choice()}
		}
	case err == nil:
		if g = h.at(number); g == nil {
			return Generation{}, &hintedError{fmt.Errorf("the host has no generation %d", number), h.choice()}
		}
	default:
		if g = h.of(nixcmd.StorePath(to)); g == nil {
			return Generation{}, &hintedError{fmt.Errorf("%s is none of the host's generations", short(nixcmd.StorePath(to))), h.choice()}
		}
	}
	switch {
	case g.Path == "":
		return Generation{}, &hintedError{fmt.Errorf("the link of generation %d leads to no store path", g.Number), "choose another"}
	case g.Gone:
		return Generation{}, &hintedError{fmt.Errorf("generation %d, %s, is no longer in the host's store", g.Number, short(g.Path)), "choose another, or deploy"}
	}
	return *g, nil
}

// choice names the generations that there are.
func (h profileHistory) choice() string {
	const most = 8
	var numbers []string
	for _, g := range h.all[max(0, len(h.all)-most):] {
		numbers = append(numbers, strconv.Itoa(g.Number))
	}
	text := "it has " + strings.Join(numbers, ", ")
	if len(h.all) > most {
		text = "its latest are " + strings.Join(numbers, ", ")
	}
	return text + "; choose with -to, `generations` tells more"
}

// previous is the generation of the system before the present one, nil if there is
// none. Fleet.Rollback says which that is.
func (h profileHistory) previous(s Survey) *Generation {
	profile := h.at(linkNumber(s.Generation))
	live, running := h.live(s), s.Current
	if live != nil {
		running = live.Path
	}
	switch {
	case running != s.Profile && live != nil && profile != nil && live.Number < profile.Number:
		return live
	case running != s.Profile:
		return h.of(s.Profile)
	}
	if h.last == running && h.before != running {
		if g := h.of(h.before); g != nil && !g.Gone {
			return g
		}
	}
	for i := len(h.all) - 1; i >= 0; i-- {
		g := &h.all[i]
		if g.Path != running && g.Path != "" && !g.Gone && profile != nil && g.Number < profile.Number {
			return g
		}
	}
	return nil
}

// askClosures asks the host, in one session, for the closures of two systems of
// its store.
func askClosures(ctx context.Context, r Remote, live, wanted nixcmd.StorePath) (*stores, error) {
	// The script once for each, in a subshell: it ends with exit if it cannot answer.
	once := "(\n" + storeScript + "\n) </dev/null"
	res, err := r.Run(ctx, sshpool.Cmd{Script: once + " || exit\nshift\n" + once, Argv: []string{string(live), string(wanted)}})
	if err != nil {
		return nil, err
	}
	before, after, _ := strings.Cut(string(res.Stdout), "\nend ok\n")
	l, err := parseStore(before + "\nend ok\n")
	if err != nil {
		return nil, err
	}
	w, err := parseStore(after)
	if err != nil {
		return nil, err
	}
	return &stores{live: l.live, wanted: w.live, missing: map[nixcmd.StorePath]bool{}}, nil
}
