package fleet

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
		for _, w := range r.Warnings {
			j.warn(StepEvaluate, w)
		}
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
	j.mu.Lock()
	avoided := j.result.Evaluation.Avoided
	j.mu.Unlock()
	if !avoided {
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
	if _, err := os.Lstat(string(ev.Derivation)); err == nil {
		return false, nil
	}
	j.why = "its derivation is not in the store any more"
	again, err := j.evaluateWith(ctx, nixcmd.EvaluateOptions{})
	if err == nil && again.Toplevel != ev.Toplevel {
		err = j.stepError(StepEvaluate, &wrongError{ev, again})
	}
	return false, err
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
func (j *job) holdTo(known recalled, ev nixcmd.Evaluation) error {
	if known.result == nil {
		j.learn(ev)
		return nil
	}
	if r := known.result; r.Derivation != string(ev.Derivation) {
		foretold := nixcmd.Evaluation{Derivation: nixcmd.StorePath(r.Derivation), Toplevel: nixcmd.StorePath(r.Toplevel)}
		err := j.stepError(StepEvaluate, &wrongError{foretold, ev})
		j.emit(Event{Step: StepEvaluate, Kind: KindFailed, Err: err})
		return err
	}
	return nil
}

// learn keeps what a real evaluation showed, behind the host's back.
func (j *job) learn(ev nixcmd.Evaluation) {
	s, h := j.seen, j.host
	if s.tree == nil || !s.stamped {
		return
	}
	s.background.Go(func() {
		r := &readset.Result{
			Settings: s.key(h), Tree: s.tree.Fingerprint(), Shape: s.tree.Shape(), At: time.Now(),
			Derivation: string(ev.Derivation), Toplevel: string(ev.Toplevel), Warnings: ev.Warnings,
		}
		// The tree must have been the same all the time.
		after, err := worktree.Read(s.ctx, worktree.Options{Dir: j.fleet.Inventory.Dir, Cache: s.cache()})
		if err != nil || after.Fingerprint() != r.Tree {
			return
		}
		if stamp, err := s.tree.Stamp(); err != nil || !stamp.Same(s.touched) {
			return
		}
		if r.Hidden = s.observe(r, ev); s.ctx.Err() != nil {
			return
		}
		s.keep(h, r)
	})
}

const needsBuilds = "it reads what is built while it is evaluated"

// observe notes what an evaluation read. It returns why that is not known, or
// "".
func (s *recollection) observe(r *readset.Result, ev nixcmd.Evaluation) (hidden string) {
	if ev.Cached {
		return "what it reads is not known yet"
	}
	if ev.Builds {
		return needsBuilds
	}
	r.Imports = map[string]readset.Facts{}
	defer func() {
		if hidden != "" {
			r.Imports, r.Copied = nil, nil
		}
	}()
	for _, name := range ev.Imports {
		if filepath.IsAbs(name) || strings.HasPrefix(name, "«") {
			if s.isBuilt(name) {
				return needsBuilds
			}
			continue
		}
		// By the name that it was found by, and by its own.
		for _, name := range []string{name, s.real(name)} {
			text, err := os.ReadFile(filepath.Join(s.tree.Root, name))
			if err != nil {
				return "what it reads could not be read"
			}
			r.Imports[name] = readset.Scan(name, string(text))
		}
	}
	if _, ok := r.Imports[s.tree.FlakePath(flakeName)]; !ok {
		return "this Nix does not tell what it reads"
	}
	if s.sources().Text == "" {
		for name, f := range r.Imports {
			f.Metadata = f.Metadata || f.Strings
			r.Imports[name] = f
		}
	}
	r.Own = readset.Own(r.Imports, s.tree)
	var err error
	if r.Copied, r.Whole, err = s.copied(ev.Derivation); err != nil {
		return "what it is built from could not be read"
	}
	return ""
}

// real is the path of a file of the tree without symlinks on the way.
func (s *recollection) real(name string) string {
	if _, tracked := s.tree.Find(name); tracked {
		if info, err := os.Lstat(filepath.Join(s.tree.Root, name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	file, err := filepath.EvalSymlinks(filepath.Join(s.tree.Root, name))
	if err != nil {
		return name
	}
	if rest, ok := strings.CutPrefix(file, s.tree.Root+"/"); ok {
		return rest
	}
	return name
}

// isBuilt reports whether an imported file is in the store, but in no input's
// source.
func (s *recollection) isBuilt(file string) bool {
	rest, ok := strings.CutPrefix(file, nixcmd.StoreDir+"/")
	base, _, _ := strings.Cut(rest, "/")
	return ok && !slices.Contains(s.tree.Inputs, nixcmd.StoreDir+"/"+base)
}

// copied finds the files of the tree whose contents are among the sources of a
// derivation. Whole says that flake.nix is one, at its place in the tree, or that
// the derivation names the place of the tree.
func (s *recollection) copied(drv nixcmd.StorePath) (paths []string, whole bool, err error) {
	sources, whole, err := s.sources().Of(s.ctx, drv)
	if err != nil {
		return nil, false, err
	}
	sizes, byID, digits := map[int64]bool{}, map[string][]string{}, 40
	for i, e := range s.tree.Entries {
		sizes[s.touched.Sizes[i]] = true
		for id := range strings.SplitSeq(e.ID, ":") {
			id, _, _ = strings.Cut(id, " ")
			byID[id] = append(byID[id], e.Path)
			digits = max(digits, len(id))
		}
	}
	flake := s.tree.FlakePath(flakeName)
	for _, source := range sources {
		if slices.Contains(s.tree.Inputs, string(source)) {
			continue
		}
		err := filepath.WalkDir(string(source), func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if s.ctx.Err() != nil {
				return context.Cause(s.ctx)
			}
			info, err := d.Info()
			if err != nil || !s.tree.Uncertain && !sizes[info.Size()] {
				return err
			}
			id, err := worktree.HashFile(file, digits)
			if err != nil {
				return err
			}
			paths = append(paths, byID[id]...)
			whole = whole || slices.Contains(byID[id], flake) && file == string(source)+"/"+flake
			return nil
		})
		if err != nil {
			return nil, false, err
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), whole, nil
}

// keep adds a result to the store. That it cannot be kept is no loss but time.
func (s *recollection) keep(h Host, r *readset.Result) {
	s.learning.Lock()
	defer s.learning.Unlock()
	earlier := s.store.Load(h.Name)
	if err := s.store.KeepTree(s.tree); err != nil {
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
	if s.store.Save(h.Name, results) == nil {
		s.learnt = true
	}
}
