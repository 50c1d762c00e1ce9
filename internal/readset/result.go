package readset

import (
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// Result is what one real evaluation of a host gave, and what is known of what it
// read.
type Result struct {
	// Settings are those of Nix that it was made with; Tree and Shape are the
	// fingerprint and the shape of its tree.
	Settings, Tree, Shape string
	// Derivation and Toplevel are store paths.
	Derivation, Toplevel string
	// Warnings are what Nix and the configuration warned of.
	Warnings []string `json:",omitempty"`
	// At is when it was made.
	At time.Time
	// Hidden says why what it read is not known, so that it holds for its very tree
	// only; "" if it is.
	Hidden string `json:",omitempty"`
	// Imports are the files of the tree that were imported, by their paths, with the
	// facts of each.
	Imports map[string]Facts `json:",omitempty"`
	// Copied are the files of the tree whose contents are among the sources of the
	// derivation, sorted. Whole says that the flake's own source tree is one, or that
	// the derivation names its place or hash.
	Copied []string `json:",omitempty"`
	Whole  bool     `json:",omitempty"`
	// Revision says that the derivation names the revision of the tree. Marked says that
	// the derivation was searched for all that it may name of the tree as a whole.
	Revision bool `json:",omitempty"`
	Marked   bool `json:",omitempty"`
	// Observed says that all that was opened is known: Opened are the files of the tree, sorted.
	Observed bool     `json:",omitempty"`
	Opened   []string `json:",omitempty"`
	// Own is a hash of the imported files.
	Own string `json:",omitempty"`
	// Same are fingerprints of other trees that it was found to hold for.
	Same []string `json:",omitempty"`
	// Earned says, for each kind of step between trees, in which ways they may
	// differ, as a whole, without the derivation being another; Burnt says in which
	// ways they may not, whatever is earned.
	Earned map[Step]Ways `json:",omitempty"`
	Burnt  map[Step]Ways `json:",omitempty"`
	// Unread are files whose contents were seen to make no difference, sorted.
	Unread []string `json:",omitempty"`
}

// Step is a kind of step from one tree to another.
type Step string

// The kinds of steps.
const (
	// Dirty: both are dirty. Clean: both are clean. Mixed: one is.
	Dirty Step = "dirty"
	Clean Step = "clean"
	Mixed Step = "mixed"
	// Plain: neither is under Git.
	Plain Step = "plain"
)

// Ways are ways in which trees as a whole may differ.
type Ways struct {
	// Contents: their contents differ, and with them their hash and their place in
	// the store.
	Contents bool `json:",omitempty"`
	// Revision: they are of different commits; outside of Git, dates.
	Revision bool `json:",omitempty"`
	// State: one is dirty and the other is not.
	State bool `json:",omitempty"`
}

func (w Ways) or(v Ways) Ways {
	return Ways{w.Contents || v.Contents, w.Revision || v.Revision, w.State || v.State}
}

func (w Ways) within(v Ways) bool {
	return (!w.Contents || v.Contents) && (!w.Revision || v.Revision) && (!w.State || v.State)
}

func (w Ways) meets(v Ways) bool {
	return w.Contents && v.Contents || w.Revision && v.Revision || w.State && v.State
}

// difference is how two trees differ as a whole.
func difference(a, b *worktree.Tree, changed bool) (Step, Ways) {
	return stepOf(a, b), Ways{Contents: changed, Revision: a.Head != b.Head, State: a.Dirty != b.Dirty}
}

func stepOf(a, b *worktree.Tree) Step {
	switch {
	case !a.Git:
		return Plain
	case a.Dirty && b.Dirty:
		return Dirty
	case !a.Dirty && !b.Dirty:
		return Clean
	}
	return Mixed
}

// Trees are the fingerprints of the trees that a result is known to hold for, the
// newest first.
func (r *Result) Trees() []string {
	trees := append([]string{r.Tree}, r.Same...)
	slices.Reverse(trees)
	return trees
}

// Known is the first of results that says what it read; nil if none does.
func Known(results []*Result) *Result {
	if i := slices.IndexFunc(results, func(r *Result) bool { return r.Hidden == "" }); i >= 0 {
		return results[i]
	}
	return nil
}

// Holds reports whether a result is known to hold for a tree.
func (r *Result) Holds(fingerprint string) bool {
	return r.Tree == fingerprint || slices.Contains(r.Same, fingerprint)
}

// HoldsFor is Holds for a tree that there is now. Of one that is clean to Git, and whose files
// are not what the index has, Nix reads the ones or the others: whichever it came to first at that
// commit. Then nothing holds.
func (r *Result) HoldsFor(t *worktree.Tree) bool {
	return r.Holds(t.Fingerprint()) && (t.Dirty || !t.Uncertain || !t.Split())
}

// readsData reports whether the host may read the contents of files that are not named where
// they are read: some file climbs, and the same or another reads what it goes on to from a path.
// reads reports whether they may be code.
func (r *Result) readsData() bool {
	return r.any(func(f Facts) bool { return f.Reads }) || r.climbs() && r.any(func(f Facts) bool { return len(f.Begun) > 0 })
}

func (r *Result) reads() bool {
	return r.any(func(f Facts) bool { return f.Text }) || r.climbs() && r.any(func(f Facts) bool { return len(f.Code) > 0 })
}

func (r *Result) climbs() bool { return r.any(func(f Facts) bool { return f.Climbs }) }

// any reports whether one of the imported files has a fact.
func (r *Result) any(fact func(Facts) bool) bool {
	for _, f := range r.Imports {
		if fact(f) {
			return true
		}
	}
	return false
}

// shows is what the derivation is seen to hold of its tree that is another in one that
// differs in such ways; "" if it is nothing.
func (r *Result) shows(w Ways) string {
	switch {
	case w.Contents && r.Whole:
		return "the flake's source"
	case (w.Revision || w.State) && r.Revision:
		return "the flake's revision"
	}
	return ""
}

// Vague reports whether what the host's files say is not enough to tell what it reads: then all
// that they may mean is held to be read, unless it is Observed.
func (r *Result) Vague() bool {
	return r.any(func(f Facts) bool {
		return f.Reads || f.Climbs || f.Evades || f.Parts || f.Ignores || slices.Contains(f.Under, "")
	})
}

// metadata reports whether the host may use what Nix says of the tree as a whole, and show no trace of
// that. One that is Observed may where code is given the flake: for no hash of it is anything opened.
func (r *Result) metadata() bool {
	return r.any(func(f Facts) bool { return f.Metadata || r.Observed && slices.Contains(f.Under, "") })
}

func (r *Result) dates() bool   { return r.any(func(f Facts) bool { return f.Dates }) }
func (r *Result) evades() bool  { return r.any(func(f Facts) bool { return f.Evades }) }
func (r *Result) parts() bool   { return r.any(func(f Facts) bool { return f.Parts }) }
func (r *Result) ignores() bool { return r.any(func(f Facts) bool { return f.Ignores }) }
func (r *Result) apart() bool   { return r.any(func(f Facts) bool { return f.Apart }) }

// turns reports whether the host makes a text of a copy that a file is in.
func (r *Result) turns(name string) bool {
	return r.any(func(f Facts) bool { return covers(f.Turned, name) })
}
