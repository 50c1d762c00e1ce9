package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// remembered is the step of an evaluation whose answer is known.
func (j *job) remembered(ctx context.Context, known recalled) (ev nixcmd.Evaluation, err error) {
	r := known.result
	err = j.step(ctx, StepEvaluate, nil, func(context.Context) (string, error) {
		ev.Derivation, ev.Toplevel = nixcmd.StorePath(r.Derivation), nixcmd.StorePath(r.Toplevel)
		for _, p := range []string{r.Derivation, r.Toplevel} {
			if _, err := nixcmd.ParseStorePath(p); err != nil {
				return "", err
			}
		}
		for _, w := range once(r.Warnings) {
			j.warn(StepEvaluate, w)
		}
		ev.Warnings = r.Warnings
		j.set(func(res *Result) { res.Wanted = ev.Toplevel; res.Evaluation = Verdict{true, known.why} })
		j.nothing(StepEvaluate)
		return short(ev.Toplevel) + ": " + known.why, nil
	})
	return ev, err
}

// kept looks after what was not evaluated in this run. If its last build is what
// is wanted, and still there, there is nothing to build. If the garbage collector
// has taken the derivation, it is evaluated after all.
func (j *job) kept(ctx context.Context, ev nixcmd.Evaluation) (built bool, err error) {
	if !j.avoided() {
		return false, nil
	}
	if link, err := j.fleet.rootLink(j.host); err == nil {
		target, _ := os.Readlink(link)
		if _, err := os.Lstat(string(ev.Toplevel)); err == nil && target == string(ev.Toplevel) {
			return true, j.step(ctx, StepBuild, nil, func(context.Context) (string, error) {
				j.nothing(StepBuild)
				return "was built before", nil
			})
		}
	}
	// Asking Nix for what is not there would have it ask substituters first.
	if _, err := os.Lstat(nixcmd.StoreDir); err != nil {
		return false, nil
	}
	if _, err := os.Lstat(string(ev.Derivation)); err == nil {
		return false, nil
	}
	return false, j.instantiate(ctx, ev)
}

// wrongError says that an evaluation gave something else than was foretold.
type wrongError struct{ foretold, found nixcmd.Evaluation }

func (e *wrongError) Error() string {
	return fmt.Sprintf("wrong prediction: it was taken to be %s, and evaluates to %s", short(e.foretold.Toplevel), short(e.found.Toplevel))
}

func (e *wrongError) Hint() string {
	return "run it again with FLOTILLA_FRESH=1, and please report this with what changed in the flake (docs/change-detection.md); " +
		"a flake that changes while it is deployed can look like this too"
}

// holdTo holds a real evaluation to what was foretold, if that was asked for, and
// else learns from it.
func (j *job) holdTo(s *recollection, known recalled, ev nixcmd.Evaluation) error {
	if known.result == nil {
		j.learned = s.learn(j.host, ev)
		return nil
	}
	if err := wrong(known, ev); err != nil {
		err := j.stepError(StepEvaluate, err)
		j.emit(Event{Step: StepEvaluate, Kind: KindFailed, Err: err})
		return err
	}
	return nil
}

// wrong is the error of an evaluation that is not what was foretold; nil if
// nothing was.
func wrong(known recalled, ev nixcmd.Evaluation) error {
	r := known.result
	if r == nil || r.Derivation == string(ev.Derivation) {
		return nil
	}
	return &wrongError{nixcmd.Evaluation{Derivation: nixcmd.StorePath(r.Derivation), Toplevel: nixcmd.StorePath(r.Toplevel)}, ev}
}

// learn keeps what a real evaluation of a host showed, behind its back; what it
// returns is closed once that is done.
func (s *recollection) learn(h Host, ev nixcmd.Evaluation) (done chan struct{}) {
	if ev.Relocked { // for this once
		done = make(chan struct{})
		close(done)
		return done
	}
	r := &readset.Result{Derivation: string(ev.Derivation), Toplevel: string(ev.Toplevel), Warnings: ev.Warnings}
	return s.note(h, r, func() string { return s.observe(r, ev) })
}

// note completes and keeps a result that observe says the read set of, or why
// there is none.
func (s *recollection) note(h Host, r *readset.Result, observe func() (hidden string)) (done chan struct{}) {
	done = make(chan struct{})
	if s.tree == nil || !s.stamped {
		close(done)
		return done
	}
	r.Settings, r.Tree, r.Shape, r.At = s.key(h), s.tree.Fingerprint(), s.tree.Shape(), time.Now()
	s.background.Go(func() {
		defer close(done)
		// The tree must have been the same all the time.
		after, err := s.snapshot()
		if err != nil || after.Fingerprint() != r.Tree {
			return
		}
		if stamp, err := s.tree.Stamp(); err != nil || !stamp.Same(s.touched) {
			return
		}
		if r.Hidden = observe(); s.ctx.Err() != nil {
			return
		}
		if r.Hidden != "" {
			r.Imports, r.Copied, r.Whole, r.Revision, r.Marked, r.Observed, r.Opened = nil, nil, false, false, false, false, nil
		}
		s.keep(h, r)
	})
	return done
}

// fromNixsCache is why nothing is known of what a host reads whose derivation
// Nix's evaluation cache knew, or that shared an evaluator; nor is it certain of its
// warnings.
const fromNixsCache = "what it reads is not known yet"

// needsBuilds is why nothing is known of what a host reads for which something is
// built first.
const needsBuilds = "it reads what is built while it is evaluated"

// importsStore is the same of one that imports from a copy of the flake's files, or of something
// that was built.
const importsStore = "it imports code from a copy in the store"

// observe notes what an evaluation read. It returns why that is not known, or
// "".
func (s *recollection) observe(r *readset.Result, ev nixcmd.Evaluation) (hidden string) {
	if ev.Cached || ev.Together {
		return fromNixsCache
	}
	if slices.ContainsFunc(s.tree.Entries, func(e worktree.Entry) bool { return !utf8.ValidString(e.Path) }) {
		return "a file's name is no UTF-8" // which neither Nix's log nor what is kept can hold
	}
	if s.misread() {
		return "Nix has read other contents than are there"
	}
	if hidden = s.observeImports(r, ev, s.sources().contents != nil); hidden != "" {
		return hidden
	}
	if err := s.observeSources(r, ev.Derivation); err != nil {
		return "what it is built from could not be read"
	}
	s.observeOpens(r, ev)
	return ""
}

// misread reports whether an evaluation, which has put the tree into the store, was not of
// the tree that is there. Nix takes one that it has put there before for the same if
// the commit is, and the files that it sees to have changed are; it goes by their times, as Git
// does, and a file that a filter has made may be another meanwhile (see worktree's
// heedMistakes).
func (s *recollection) misread() bool {
	known := s.sources()
	if known.contents == nil || s.lazy() {
		return false
	}
	_, err := os.Lstat(filepath.Join(nixcmd.StoreDir, known.contents[0]+"-source"))
	return errors.Is(err, fs.ErrNotExist)
}

// lazy reports whether this Nix may evaluate a tree that it does not put into the store.
func (s *recollection) lazy() bool {
	if _, err := os.Lstat(nixcmd.StoreDir); err != nil {
		return true // in another place, or on another machine
	}
	v, err := s.fleet.nix.Version(s.ctx)
	return err != nil || v.Flavour == nixcmd.FlavourDeterminate
}

// observeImports notes what the files show that an evaluation imported. Unless the
// place of the tree is looked for in what came of them, a text made of a path may be
// part of it.
func (s *recollection) observeImports(r *readset.Result, ev nixcmd.Evaluation, placed bool) (hidden string) {
	if ev.Builds {
		return needsBuilds
	}
	var names []string
	for _, name := range ev.Imports {
		if filepath.IsAbs(name) || strings.HasPrefix(name, "«") {
			if s.isBuilt(name) {
				return importsStore
			}
			continue
		}
		// By the name that it was found by, and by its own.
		names = append(names, name, s.tree.Real(name))
	}
	texts, err := s.tree.Texts(s.ctx, names)
	if err != nil {
		return "what it reads could not be read"
	}
	r.Imports = make(map[string]readset.Facts, len(names))
	for name, text := range texts {
		f := readset.Scan(name, text)
		f.Metadata = f.Metadata || !placed && f.Strings
		r.Imports[name] = f
	}
	if _, ok := r.Imports[s.tree.FlakePath(flakeName)]; !ok {
		return "this Nix does not tell what it reads"
	}
	r.Own = readset.Own(r.Imports, s.tree)
	return ""
}

// isBuilt reports whether an imported file is in the store, but in no input's
// source.
func (s *recollection) isBuilt(file string) bool {
	rest, ok := strings.CutPrefix(file, nixcmd.StoreDir+"/")
	base, _, _ := strings.Cut(rest, "/")
	return ok && !slices.Contains(s.tree.Inputs, nixcmd.StoreDir+"/"+base)
}

// keep adds a result to the store. That it cannot be kept is no loss but time; see
// warnOfLoss.
func (s *recollection) keep(h Host, r *readset.Result) {
	s.learning.Lock()
	defer s.learning.Unlock()
	earlier := s.store.Load(h.Name)
	if err := s.store.KeepTree(s.tree); err != nil {
		s.learning.lost = err
		return
	}
	tree := func(r *readset.Result) *worktree.Tree { return s.store.Tree(r.Tree) }
	readset.Learn(earlier, r, tree, s.importedByOthers(h))
	results := []*readset.Result{r}
	for _, e := range earlier {
		if e.Tree == r.Tree && e.Settings == r.Settings {
			if r.Hidden != "" && e.Hidden == "" && e.Derivation == r.Derivation {
				results[0] = e // which knows more
			}
			continue
		}
		if e.Derivation != r.Derivation {
			e.Same = slices.DeleteFunc(e.Same, func(tree string) bool { return tree == r.Tree })
		}
		results = append(results, e)
	}
	if err := s.store.Save(h.Name, results); err != nil {
		s.learning.lost = err
		return
	}
	s.learnt = true
}
