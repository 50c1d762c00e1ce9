package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// TestRealSoak edits random flakes at random and holds every prediction against
// an evaluation by the real Nix, its cache left out. FLOTILLA_SOAK_STEPS says how
// many edits, FLOTILLA_SOAK_SEED which: a seed is a flake, and the worlds take
// turns. FLOTILLA_SOAK_WORLD makes them all of one.
func TestRealSoak(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix, and time")
	}
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			return otherwise
		}
		return n
	}
	steps, seed := number("FLOTILLA_SOAK_STEPS", 64), number("FLOTILLA_SOAK_SEED", 1)
	worlds := worlds()
	if w := os.Getenv("FLOTILLA_SOAK_WORLD"); w != "" {
		worlds = []keeping{keeping(w)}
	}
	each := min(max(steps/len(worlds), 12), 250)
	all := map[string]*tally{}
	total := tally{}
	for done := 0; done < steps; seed++ {
		s := newSoak(t, uint64(seed), worlds[seed%len(worlds)])
		n := min(each, steps-done)
		began := time.Now()
		s.run(n)
		total.add(s.tally)
		if all[s.class()] == nil {
			all[s.class()] = &tally{}
		}
		all[s.class()].add(s.tally)
		done += n
		t.Logf("seed %d, %s, in %s: %s", seed, s.class(), time.Since(began).Round(time.Second), s.tally)
		if t.Failed() {
			return
		}
	}
	var report strings.Builder
	fmt.Fprintf(&report, "in all %s", total)
	for _, w := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&report, "\n%s: %s", w, all[w])
	}
	t.Log(report.String())
	if probe, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"nix", "--version"}, WatchOpens: true}); err == nil && probe.OpensKnown && total.watched == 0 {
		t.Error("no evaluation was watched")
	}
	if total.avoided == 0 {
		t.Error("nothing was avoided")
	}
	if total.failed > (total.avoided+total.evaluated)/2 { // a third of all
		t.Error("too many evaluations failed for this to show much")
	}
}

// class is the world, and what its hosts depend on besides what they import.
func (s *soak) class() string {
	text := string(s.world)
	switch s.watch {
	case watchNone:
		text += ", not watched"
	case watchAll:
		text += ", watched"
	}
	switch {
	case s.ifd:
		return text + ", imports what it builds"
	case s.parts:
		return text + ", puts names together"
	case s.slurp:
		return text + ", reads by helpers"
	case s.self:
		return text + ", uses itself"
	}
	return text
}

// tally counts what became of hosts, a step each.
type tally struct {
	steps, avoided, evaluated, failed int
	// watched are evaluations whose opens are known.
	watched int
	// Of edits to the contents of code that a host does not import and another
	// does, and that made no difference to it; and to those of data, and made no
	// difference.
	code, data share
	reasons    map[string]int // of those not avoided
	// Of hosts of commits that were looked at beside the tree, and of the names of the
	// configurations.
	commits, names share
}

// share is how many of the evaluations that could have been avoided were.
type share struct{ avoided, of int }

func (s *share) add(o share) { s.avoided += o.avoided; s.of += o.of }

func (s share) String() string {
	if s.of == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d (%.1f %%)", s.avoided, s.of, 100*float64(s.avoided)/float64(s.of))
}

func (t *tally) add(o tally) {
	t.steps += o.steps
	t.avoided += o.avoided
	t.evaluated += o.evaluated
	t.watched += o.watched
	t.failed += o.failed
	t.code.add(o.code)
	t.data.add(o.data)
	t.commits.add(o.commits)
	t.names.add(o.names)
	if t.reasons == nil {
		t.reasons = map[string]int{}
	}
	for why, n := range o.reasons {
		t.reasons[why] += n
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d steps: %d predictions held, %d evaluations, %d of them watched, %d failed; avoidable evaluations avoided: code %s, data %s; the others: %v; known: hosts of commits %s, names %s",
		t.steps, t.avoided, t.evaluated, t.watched, t.failed, t.code, t.data, t.reasons, t.commits, t.names)
}

// soak is one flake and its repository.
type soak struct {
	t     *testing.T
	r     *rand.Rand
	aside *rand.Rand // for what leaves the history as it is
	seed  uint64
	world keeping
	base  string // of everything
	sub   string // the flake's directory in the repository
	tally tally
	checkout
	other    *checkout // that shares the repository and the state directory; nil for none
	log      []string
	mu       sync.Mutex
	failures int // steps with some, in a row

	// Which constructs the flake has.
	self, ifd, slurp, parts, inputs, links bool
	watch                                  watching
	// newer is a Nix that knows of submodules.
	newer bool
}

// checkout is what is known of a work tree.
type checkout struct {
	dir   string // absolute
	fleet *Fleet
	truth map[string]nixcmd.StorePath
	read  map[string]map[string]bool // imports, by host
}

// noDialer connects to nothing.
type noDialer struct{}

func (noDialer) Connect(context.Context, Host) (Remote, error) {
	return nil, errors.New("no host here")
}

func (s *soak) chance(n int) bool { return s.r.IntN(n) == 0 }

func pick[T any](s *soak, list ...T) T { return list[s.r.IntN(len(list))] }

func soakHosts() []Host {
	return []Host{{Name: "h0", Attr: "h0"}, {Name: "h1", Attr: "h1"}, {Name: "h2", Attr: "h2"}}
}

func (s *soak) run(steps int) {
	what, content := "first", ""
	for range steps {
		s.log = append(s.log, what)
		s.tally.steps++
		failed := s.step(content)
		switch {
		case s.t.Failed():
			return
		case failed == nil:
			s.failures = 0
			what, content = s.edit()
			continue
		case s.tally.avoided+s.tally.evaluated == 0:
			s.t.Fatalf("seed %d, %s: nothing evaluates, to begin with: %v", s.seed, s.world, failed)
		}
		// A flake that is broken shows little.
		if s.failures++; s.failures < 3 && s.chance(3) {
			what, content = s.edit()
			continue
		}
		what, content = s.repair(s.failures > 3), ""
	}
}

// step asks about every host, evaluates those of which nothing is known, and
// holds the others to the truth. It returns the first error of an evaluation.
func (s *soak) step(content string) (failed error) {
	lazily := s.chance(10) // with Nix's own cache
	before := maps.Clone(s.truth)
	known := map[string]recalled{}
	seen := s.fleet.recollect(s.t.Context())
	var then *recollection
	if s.world != keptLoose && s.aside.IntN(6) == 0 {
		then = s.beside(seen)
	}
	if s.aside.IntN(4) == 0 {
		s.names(seen)
	}
	s.fleet.runWith(s.t.Context(), seen, AtOnce, soakHosts(), func(ctx context.Context, j *job) (Outcome, error) {
		if then != nil {
			defer func() { s.commit(ctx, j, then) }()
		}
		k, name := j.recall(), j.host.Name
		s.mu.Lock()
		known[name] = k
		s.mu.Unlock()
		if k.result != nil {
			return Unchanged, nil
		}
		ev, err := s.evaluate(ctx, seen, k.reads, j.host, !lazily)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			failed = err
			s.tally.failed++
			delete(s.truth, name)
			return "", err
		}
		s.tally.evaluated++
		if ev.Opens != nil {
			s.tally.watched++
		}
		j.learned = seen.learn(j.host, ev)
		s.truth[name] = ev.Derivation
		if !ev.Cached {
			s.read[name] = map[string]bool{}
			for _, f := range ev.Imports {
				s.read[name][f] = true
			}
		}
		return Evaluated, nil
	})
	var foretold []Host
	for _, h := range soakHosts() {
		if known[h.Name].result != nil {
			foretold = append(foretold, h)
		}
	}
	for name, truth := range s.truths(foretold) {
		r := known[name].result
		s.tally.avoided++
		s.truth[name] = truth.drv
		if truth.err != nil || r.Derivation != string(truth.drv) {
			s.t.Errorf("seed %d, %s: wrong prediction for %s: %s, not %s (%v)\nsteps: %s\nsince %s: imports %v, copied %v, unread %v, earned %v, burnt %v",
				s.seed, s.world, name, r.Derivation, truth.drv, truth.err, strings.Join(s.log, ", "),
				r.At.Format(time.TimeOnly), slices.Sorted(maps.Keys(r.Imports)), r.Copied, r.Unread, r.Earned, r.Burnt)
			s.sh("rm -rf /tmp/soak-failed; cp -r " + s.base + " /tmp/soak-failed")
		}
	}
	if content != "" {
		for _, h := range soakHosts() {
			if truth, ok := s.truth[h.Name]; ok && before[h.Name] == truth {
				s.count(h.Name, path.Join(s.sub, content), known[h.Name])
			}
		}
	}
	return failed
}

// count counts a host for which an edit made no difference.
func (s *soak) count(host, file string, known recalled) {
	code := strings.HasSuffix(file, ".nix")
	if s.read[host][file] || code && !s.otherImports(host, file) {
		return
	}
	n := share{of: 1}
	if known.result != nil {
		n.avoided = 1
	} else {
		kind := "data: "
		if code {
			kind = "code: "
		}
		s.tally.reasons[kind+reason(known.why)]++
		if os.Getenv("FLOTILLA_SOAK_WHY") != "" {
			s.t.Logf("seed %d, %s, step %d, %s: %s for %s; %s", s.seed, s.world, len(s.log), file, known.why, host, s.explain(host, file))
		}
	}
	if code {
		s.tally.code.add(n)
	} else {
		s.tally.data.add(n)
	}
}

// explain says what the newest result makes of a file.
func (s *soak) explain(host, file string) string {
	results := readset.Open(s.fleet.evaluations()).Load(host)
	if len(results) == 0 {
		return "no result"
	}
	r := results[0]
	text := fmt.Sprintf("%d results, hidden %q, copied %v, unread %v", len(results), r.Hidden, slices.Contains(r.Copied, file), slices.Contains(r.Unread, file))
	for _, name := range slices.Sorted(maps.Keys(r.Imports)) {
		f := r.Imports[name]
		if f.Reads {
			text += ", " + name + " reads"
		}
		for _, list := range map[string][]string{"names": f.Paths, "names below": f.Under, "reads": f.Read} {
			for _, p := range list {
				if p == "" || p == file || strings.HasPrefix(file, p+"/") {
					text += fmt.Sprintf(", %s has %q", name, p)
				}
			}
		}
	}
	return text
}

func (s *soak) otherImports(host, file string) bool {
	for other, read := range s.read {
		if other != host && read[file] {
			return true
		}
	}
	return false
}

// evaluate evaluates a host of what is seen, as that is watched; nil is the directory as it is.
func (s *soak) evaluate(ctx context.Context, seen *recollection, reads *readset.Result, h Host, fresh bool) (nixcmd.Evaluation, error) {
	flake, watched := "", false
	if seen != nil {
		flake, watched = seen.flake, seen.watches(reads)
	}
	inst, err := installable(flake, h)
	if err != nil {
		return nixcmd.Evaluation{}, err
	}
	if err := s.fleet.stages.evaluations.Acquire(ctx, 1); err != nil {
		return nixcmd.Evaluation{}, err
	}
	defer s.fleet.stages.evaluations.Release(1)
	return s.fleet.nix.Evaluate(ctx, inst, nixcmd.EvaluateOptions{Fresh: fresh, WatchOpens: watched})
}

// beside is what is known of some commit.
func (s *soak) beside(seen *recollection) *recollection {
	res, err := proc.Run(s.t.Context(), proc.Cmd{Argv: []string{"git", "rev-list", "--all", "--max-count=30"}, Dir: s.path("")})
	if err != nil {
		s.t.Fatal(err)
	}
	ids := strings.Fields(string(res.Stdout))
	id := ids[s.aside.IntN(len(ids))]
	commit, err := nixcmd.New(nixcmd.Config{Dir: s.path("")}).Commit(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = append(s.log, "beside "+id[:7])
	return seen.beside(commit.FlakeRef(), id)
}

// commit holds what is known of a host in a commit against an evaluation of that.
func (s *soak) commit(ctx context.Context, j *job, then *recollection) {
	if j.learned != nil {
		<-j.learned
	}
	known := then.ask(j.host)
	ev, err := s.evaluate(ctx, then, known.reads, j.host, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case known.result != nil:
		s.tally.commits.add(share{1, 1})
		if err != nil || known.result.Derivation != string(ev.Derivation) {
			s.t.Errorf("seed %d, %s: wrong prediction for %s in commit %s: %s, not %s (%v)\nsteps: %s", s.seed, s.world, j.host.Name, then.commit,
				known.result.Derivation, ev.Derivation, err, strings.Join(s.log, ", "))
			s.sh("rm -rf /tmp/soak-failed; cp -r " + s.base + " /tmp/soak-failed")
		}
	case err == nil:
		s.tally.commits.add(share{0, 1})
		then.learn(j.host, ev)
	}
}

// names holds the names that are known against those of an evaluation.
func (s *soak) names(seen *recollection) {
	known := seen.ask(Host{Name: namesHost}).result != nil
	names, err := seen.names(s.t.Context())
	if !known {
		if err == nil {
			s.tally.names.add(share{0, 1})
		}
		return
	}
	s.tally.names.add(share{1, 1})
	inst, instErr := nixcmd.FlakeAttr(".", "nixosConfigurations")
	real, realErr := s.fleet.nix.AttrNames(s.t.Context(), inst)
	if errors.Join(err, instErr, realErr) != nil || !slices.Equal(names, real) {
		s.t.Errorf("seed %d, %s: wrong names: %v (%v), not %v (%v)\nsteps: %s", s.seed, s.world, names, err, real, realErr, strings.Join(s.log, ", "))
	}
}

type truth struct {
	drv nixcmd.StorePath
	err error
}

// truths are what hosts evaluate to, found by one evaluator. If one of them fails
// each has its own.
func (s *soak) truths(hosts []Host) map[string]truth {
	if len(hosts) == 0 {
		return nil
	}
	all := map[string]truth{}
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	res, err := proc.Run(s.t.Context(), proc.Cmd{Dir: s.path(""), Argv: []string{"nix", "eval", "--extra-experimental-features", "nix-command flakes", "--no-eval-cache", "--json",
		".#nixosConfigurations", "--apply", "cs: builtins.mapAttrs (_: c: c.config.system.build.toplevel.drvPath) { inherit (cs) " + strings.Join(names, " ") + "; }"}})
	var drvs map[string]nixcmd.StorePath
	if err == nil {
		err = json.Unmarshal(res.Stdout, &drvs)
	}
	for _, h := range hosts {
		if err == nil {
			all[h.Name] = truth{drv: drvs[h.Name]}
			continue
		}
		ev, err := s.evaluate(s.t.Context(), nil, nil, h, true)
		all[h.Name] = truth{ev.Derivation, err}
	}
	return all
}

// reason is why a host was evaluated, without names.
func reason(why string) string {
	for _, k := range []string{"hash is not known", "revision is not known", "holds the flake's source", "built while", "date", "not known yet", "filters", "evaluated before", "cannot be detected", "was added", "was removed"} {
		if strings.Contains(why, k) {
			return k
		}
	}
	return "may be read"
}

func (s *soak) path(name string) string { return filepath.Join(s.dir, s.sub, name) }

// write writes a file of the flake, or by "@ext/" and the like one beside the
// repository.
func (s *soak) write(name, text string) {
	file := s.path(name)
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		file = filepath.Join(s.base, rest)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

// sh runs a shell command in the flake's directory.
func (s *soak) sh(line string) error {
	_, err := proc.Run(s.t.Context(), proc.Cmd{Argv: []string{"/bin/sh", "-c", line}, Dir: s.path(""),
		Env: proc.Environ(fmt.Sprintf("GIT_COMMITTER_DATE=%d +0000", 1760000000+s.r.IntN(5)*43200))})
	return err
}

func (s *soak) must(line string) {
	s.t.Helper()
	if err := s.sh(line); err != nil {
		s.t.Fatalf("seed %d, %s: %s: %v", s.seed, s.world, line, err)
	}
}
