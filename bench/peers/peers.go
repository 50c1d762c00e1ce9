// Package peers measures Flotilla beside the guide's recipes, on the lab's hosts.
package peers

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// The two sides, as phases of a scenario.
const (
	ours   bench.Phase = "flotilla"
	theirs bench.Phase = "recipe"
)

// Row is what came of one situation.
type Row struct {
	// Situation says what was done, Ours and Theirs with which commands.
	Situation, Ours, Theirs string
	// OursTook and TheirsTook are wall times in seconds; Ratios are theirs by ours,
	// round by round.
	OursTook, TheirsTook, Ratios bench.Summary
}

// Result is what came of Run.
type Result struct {
	// Time is when it began.
	Time time.Time
	// Just and Rebuild say what stood for just and nixos-rebuild, Nix is its version.
	Just, Rebuild, Nix string
	// Load is that of the minute before, and LoadAfter that at the end.
	Load, LoadAfter string
	// Real says that each evaluation was one of a real NixOS.
	Real bool
	// Rows are the situations, in order.
	Rows []Row
}

// situation is something that both sides are asked for.
type situation struct {
	text string
	// edit changes the fleet before each command, to something that it never was
	// before: %d is a number that is used once.
	edit         string
	ours, theirs string
	// latency is the round trip to host, 0 for that of the lab.
	latency time.Duration
	host    string
	// real says that it is told with real NixOS hosts too.
	real bool
}

const (
	hosts  = "p620 razer p510 dex5550"
	dirty  = "echo 'edit %d' >>README.md"
	one    = `git checkout -q hosts/razer; sed -i 's|imports = \[|imports = [ { environment.etc."peers".text = "%d"; }|' hosts/razer/default.nix`
	every  = `git checkout -q modules/base; sed -i 's|imports = \[|imports = [ { environment.etc."peers".text = "%d"; }|' modules/base/default.nix`
	slowed = 20 * time.Millisecond
)

func situations() []situation {
	return []situation{
		{text: "nothing changed, clean tree: deploy one", ours: "quickDeploy p620", theirs: "mended p620", real: true},
		{text: "the same, the recipe as it is, which deploys", ours: "quickDeploy p620", theirs: "quick-deploy p620"},
		{text: "README.md edited: deploy one", edit: dirty, ours: "quickDeploy p620", theirs: "mended p620", real: true},
		{text: "nothing changed: test all four", ours: "testAllParallel", theirs: "test-all-parallel " + hosts, real: true},
		{text: "one of four changed: test all four", edit: one, ours: "testAllParallel", theirs: "test-all-parallel " + hosts, real: true},
		{text: "all four changed: test all four", edit: every, ours: "testAllParallel", theirs: "test-all-parallel " + hosts, real: true},
		{text: "deploy one that is deployed", ours: "p620", theirs: "host p620", real: true},
		{text: "the same, activated all the same", ours: "deploy p620 -force", theirs: "host p620"},
		{text: "deploy one that changed", edit: one, ours: "quickDeploy razer", theirs: "mended razer", real: true},
		{text: "deploy all four, all changed", edit: every, ours: "deployAllParallel -yes", theirs: "deploy-all-parallel " + hosts},
		{text: "20 ms round trip, nothing changed: deploy one", ours: "quickDeploy p510", theirs: "mended p510", latency: slowed, host: "p510"},
		{text: "20 ms round trip: deploy one that is deployed", ours: "p510", theirs: "host p510", latency: slowed, host: "p510"},
		{text: "20 ms round trip: deploy one that changed", edit: strings.ReplaceAll(one, "razer", "p510"), ours: "quickDeploy p510", theirs: "mended p510", latency: slowed, host: "p510"},
		// The rows of the guide's tables that are not above. "Traditional" is without its recipes:
		// one after the other.
		{text: "guide: test one that changed", edit: one, ours: "testHost razer", theirs: "test-host razer", real: true},
		{text: "guide: test all in turn, all changed", edit: every, ours: "testAllParallel", theirs: "test-all " + hosts, real: true},
		{text: "guide: deploy one that changed, without a test", edit: one, ours: "razer", theirs: "host razer"},
		{text: "guide: deploy all in turn, all changed", edit: every, ours: "deployAllParallel -yes", theirs: "deploy-all " + hosts},
		{text: "guide: test and deploy one, nothing changed", ours: "testHost p620 quickDeploy p620", theirs: "test-deploy p620", real: true},
		{text: "guide: test and deploy all in turn, all changed", edit: every, ours: "quickAll -yes", theirs: "test-deploy-all " + hosts},
	}
}

//go:embed recipes.sh
var recipes string

//go:embed justfile
var justfile string

// Run boots the lab, if it is not, and measures every situation in so many rounds,
// after one to warm up: in each both sides once, and the other way round in every
// second. It leaves the fleet as it was committed, and the hosts deployed. A command
// that fails ends it. With nixpkgs, a Git repository of that, each evaluation is one of a
// real NixOS, and the situations are those in which that matters.
func Run(ctx context.Context, c lab.Config, rounds int, nixpkgs string, progress func(text string)) (r Result, err error) {
	r.Time, r.Real = time.Now(), nixpkgs != ""
	l, err := lab.Up(ctx, c)
	if err != nil {
		return r, err
	}
	p := &peers{lab: l, number: int(time.Now().Unix())}
	defer func() {
		for _, s := range situations() {
			if s.latency > 0 {
				err = errors.Join(err, l.Latency(context.WithoutCancel(ctx), s.host, 0))
			}
		}
		undo := reset
		if nixpkgs != "" {
			undo += "; if git rev-parse --quiet --verify before-nixpkgs; then git reset --quiet --hard before-nixpkgs && git tag --delete before-nixpkgs; fi && rm -rf /root/peers/nixpkgs"
		}
		_, undone := p.sh(context.WithoutCancel(ctx), undo)
		err = errors.Join(err, undone)
	}()
	if nixpkgs != "" {
		progress("real NixOS hosts: nixpkgs is copied")
		if err := p.real(ctx, nixpkgs); err != nil {
			return r, err
		}
	}
	if err := p.prepare(ctx, &r); err != nil {
		return r, err
	}
	for _, s := range situations() {
		if r.Real && !s.real {
			continue
		}
		row, err := p.measure(ctx, s, rounds, progress)
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.text, err)
		}
		r.Rows = append(r.Rows, row)
	}
	r.LoadAfter, err = p.sh(ctx, "cut -d' ' -f1 /proc/loadavg")
	return r, err
}

const reset = "git reset --quiet --hard && git clean -fdq"

// peers is a run under way.
type peers struct {
	lab *lab.Lab
	// recipe is the command before a recipe's name.
	recipe string
	number int
}

// sh runs a line in control, in the fleet's checkout.
func (p *peers) sh(ctx context.Context, line string) (string, error) {
	res, err := p.lab.Exec(ctx, lab.ExecOptions{Argv: []string{"/bin/sh", "-c", line}})
	var pe *proc.Error
	if errors.As(err, &pe) && pe.Code >= 0 {
		return "", fmt.Errorf("`%s` ended with exit code %d:\n%s%s", line, pe.Code, res.Stdout, res.Stderr)
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

// prepare puts the recipes into control and deploys every host.
func (p *peers) prepare(ctx context.Context, r *Result) (err error) {
	const dir = "/root/peers"
	for name, text := range map[string]string{"recipes.sh": recipes, "justfile": justfile} {
		_, err := p.lab.Exec(ctx, lab.ExecOptions{Argv: []string{"/bin/sh", "-c", "mkdir -p " + dir + " && cat >" + dir + "/" + name},
			Stdin: bytes.NewReader([]byte(text))})
		if err != nil {
			return err
		}
	}
	if r.Load, err = p.sh(ctx, "cut -d' ' -f1 /proc/loadavg"); err != nil {
		return err
	}
	if r.Nix, err = p.sh(ctx, "nix --version"); err != nil {
		return err
	}
	p.recipe = "just --justfile " + dir + "/justfile --working-directory . "
	if r.Just, err = p.sh(ctx, "just --version 2>/dev/null || true"); r.Just == "" {
		r.Just, p.recipe = "none: its recipes are called by themselves", "sh "+dir+"/recipes.sh "
	}
	if err != nil {
		return err
	}
	if r.Rebuild, err = p.sh(ctx, "command -v nixos-rebuild || true"); r.Rebuild == "" {
		r.Rebuild = "none: the commands that it runs, written out (recipes.sh)"
	}
	if err != nil {
		return err
	}
	_, err = p.sh(ctx, reset+" && flotilla deployAllParallel -yes")
	return err
}

func (p *peers) measure(ctx context.Context, s situation, rounds int, progress func(string)) (Row, error) {
	row := Row{Situation: s.text, Ours: s.ours, Theirs: s.theirs}
	if s.latency > 0 {
		if err := p.lab.Latency(ctx, s.host, s.latency); err != nil {
			return row, err
		}
	}
	// What the situation before has left is committed by neither side, and both find
	// the hosts deployed.
	if _, err := p.sh(ctx, reset+" && flotilla deployAllParallel -yes"); err != nil {
		return row, err
	}
	side := func(phase bench.Phase, command string) bench.Task {
		return bench.Task{Phase: phase, Do: func(ctx context.Context) (bench.Sample, error) { return p.time(ctx, s.edit, command) }}
	}
	all, err := bench.Scenario{Warmups: 1, Rounds: rounds,
		Tasks:    []bench.Task{side(ours, "flotilla "+s.ours), side(theirs, p.recipe+s.theirs)},
		Progress: func(round int) { progress(fmt.Sprintf("%s: %d of %d", s.text, round, rounds)) },
	}.Run(ctx)
	if err != nil {
		return row, err
	}
	var ratios []float64
	for i, o := range all[0].Seconds {
		ratios = append(ratios, all[1].Seconds[i]/o)
	}
	row.OursTook, row.TheirsTook, row.Ratios = bench.Summarize(all[0].Seconds), bench.Summarize(all[1].Seconds), bench.Summarize(ratios)
	if s.latency > 0 {
		return row, p.lab.Latency(ctx, s.host, 0)
	}
	return row, nil
}

// time runs a command after an edit, which is not timed.
func (p *peers) time(ctx context.Context, edit, command string) (bench.Sample, error) {
	p.number++
	if edit != "" {
		edit = fmt.Sprintf(edit, p.number) + "; "
	}
	// The clock is read in control, so that entering it does not count.
	out, err := p.sh(ctx, edit+"a=$(date +%s%N); "+command+" >/tmp/peers.log 2>&1 || { code=$?; tail -n 40 /tmp/peers.log; exit $code; }; b=$(date +%s%N); echo $((b-a))")
	if err != nil {
		return bench.Sample{}, err
	}
	n, err := strconv.ParseInt(out, 10, 64)
	return bench.Sample{Duration: time.Duration(n)}, err
}
