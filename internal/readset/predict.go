package readset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// Question is what Predict and Touched are asked. All fields must be set.
type Question struct {
	// Base is an earlier result, and From a tree that it holds for.
	Base *Result
	From *worktree.Tree
	// To is the tree in question.
	To *worktree.Tree
	// Imported reports whether another host than Base's is known to import a file.
	Imported func(path string) bool
}

// Predict returns "" if an evaluation of the tree in question is certain to give the
// derivation of the earlier result. Otherwise it returns why it may not, as half a sentence:
// "hosts/razer/audio.nix changed". docs/change-detection.md says what the certainty rests on.
func Predict(q Question) string {
	r := q.Base
	changes := worktree.Changes(q.From, q.To)
	switch {
	case q.From.Shape() != q.To.Shape():
		return reshaped(q.From, q.To, changes)
	case r.Hidden != "":
		return first(changes) + r.Hidden
	case !r.Observed && r.evades():
		return first(changes) + "it uses getFlake, or builtins by names that are put together"
	case (q.From.Uncertain || q.To.Uncertain) && !(q.From.Dirty && q.To.Dirty):
		return first(changes) + uncertain(q)
	}
	var read []string
	for _, c := range changes {
		if r.mayRead(c, q) {
			read = append(read, c.Path)
		}
	}
	switch {
	case len(read) == 0:
	case r.Whole && !slices.ContainsFunc(read, r.surely): // and so a copy of each
		return first(changes) + "it holds the flake's source"
	default:
		return and(read) + " changed"
	}
	step, ways := difference(q.From, q.To, len(changes) > 0)
	switch {
	case r.shows(ways) != "":
		return first(changes) + "it holds " + r.shows(ways)
	case ways.Revision && r.dates():
		return first(changes) + "the revision changed, whose date it may use"
	case ways.State && r.dates():
		return first(changes) + "it may use the flake's date"
	case !ways.within(r.Earned[step]) || ways.meets(r.Burnt[step]):
		what := "revision"
		if ways.Contents {
			what = "hash"
		}
		return first(changes) + "whether it uses the flake's own " + what + " is not known yet"
	}
	return ""
}

// Touched says which of what the host reads differs between the two trees, as
// "hosts/razer/audio.nix changed"; "" if nothing of it is known to. It explains,
// and proves nothing: a host may read less than is held to be read, and depend on
// the tree as a whole. The earlier result may hold for either tree.
func Touched(q Question) string {
	changes := worktree.Changes(q.From, q.To)
	shape := ""
	if q.From.Shape() != q.To.Shape() {
		shape = reshaped(q.From, q.To, changes)
	}
	if q.Base.Hidden != "" {
		return shape
	}
	var certain, perhaps []string
	for _, c := range changes {
		if shape != "" && reshapes(c) { // which is said already
			continue
		}
		if q.Base.surely(c.Path) || has(q.Base.Copied, c.Path) {
			certain = append(certain, c.Path)
		} else if q.Base.mayRead(c, q) {
			perhaps = append(perhaps, c.Path)
		}
	}
	read := certain
	if len(read) == 0 {
		read = perhaps
	}
	switch {
	case len(read) == 0:
		return shape
	case shape == "":
		return and(read) + " changed"
	}
	return and(read) + " changed, and " + shape
}

// first names what changed, for a reason that is another.
func first(changes []worktree.Change) string {
	if len(changes) == 0 {
		return ""
	}
	paths := make([]string, len(changes))
	for i, c := range changes {
		paths[i] = c.Path
	}
	return and(paths) + " changed, and "
}

func and(paths []string) string {
	switch len(paths) {
	case 1:
		return paths[0]
	case 2:
		return paths[0] + " and " + paths[1]
	}
	return fmt.Sprintf("%s and %d more", paths[0], len(paths)-1)
}

func were(paths []string) string {
	if len(paths) == 1 {
		return paths[0] + " was"
	}
	return and(paths) + " were"
}

// surely reports whether the host was seen to import or to open a file.
func (r *Result) surely(name string) bool {
	_, imported := r.Imports[name]
	return imported || has(r.Opened, name)
}

// mayRead reports whether the host may read what changed of a path.
func (r *Result) mayRead(c worktree.Change, q Question) bool {
	if c.After.Mode == worktree.ModeSubmodule || covers(q.To.Subflakes, c.Path) || has(r.Copied, c.Path) {
		return true
	}
	called := names(q.To.Links, c.Path)
	if called == nil {
		return true
	}
	code := !slices.ContainsFunc(called, func(n string) bool { return !strings.HasSuffix(n, ".nix") })
	exactly, above, turned := false, false, false
	for _, n := range called {
		if r.surely(n) {
			return true
		}
		if r.Observed {
			continue
		}
		for _, f := range r.Imports {
			if covers(f.Read, n) || code && begins(f.Code, n) || !code && begins(f.Begun, n) {
				return true
			}
			e, m := f.mentions(n)
			exactly, above, turned = exactly || e, above || m, turned || covers(f.Turned, n)
		}
	}
	switch {
	case r.Observed:
		return false
	case path.Base(c.Path) == ".gitignore" && r.ignores(): // that of a directory above counts too
		return true
	case !above:
		return false
	case code && !r.reads() && !turned && q.Imported(c.Path):
		return false
	case !code && (exactly || r.readsData() || r.parts()):
		return true
	case code && r.reads() && (exactly || r.apart()):
		return true
	}
	return !has(r.Unread, c.Path)
}

// maxNames bounds how many names a file may have by way of symlinks.
const maxNames = 64

// names returns a path and the names it has by way of symlinks, or nil if they
// are too many to tell.
func names(links []worktree.Link, name string) []string {
	all := []string{name}
	for i := 0; i < len(all); i++ {
		for _, l := range links {
			rest := ""
			switch {
			case l.Target == "":
				rest = "/" + all[i]
			case l.Target == all[i]:
			case strings.HasPrefix(all[i], l.Target+"/"):
				rest = all[i][len(l.Target):]
			default:
				continue
			}
			if alias := l.Path + rest; !slices.Contains(all, alias) {
				if all = append(all, alias); len(all) > maxNames {
					return nil
				}
			}
		}
	}
	return all
}

// has reports whether a sorted list holds a text.
func has(sorted []string, text string) bool {
	_, ok := slices.BinarySearch(sorted, text)
	return ok
}
