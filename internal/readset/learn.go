package readset

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// Own is a hash of which files of the tree were imported, and of their contents.
func Own(imports map[string]Facts, t *worktree.Tree) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		e, _ := t.Find(name)
		for _, s := range []string{name, e.Mode, e.ID} {
			h.Write([]byte(s + "\x00"))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Learn adds a new result, of a real evaluation, to what is known of a host:
// what earlier ones have earned for it, and what it shows of them. The results
// are changed; tree finds the tree of one, nil if it is gone.
func Learn(earlier []*Result, r *Result, tree func(*Result) *worktree.Tree, imported func(string) bool) {
	to := tree(r)
	if to == nil {
		return
	}
	for _, e := range earlier {
		from := tree(e)
		if from == nil || e.Settings != r.Settings || e.Hidden != "" && r.Hidden != "" {
			continue
		}
		changes := worktree.Changes(from, to)
		alike := sameInputs(from, to, changes)
		inherit(e, r, to, alike)
		compare(e, r, from, to, changes, alike, imported)
	}
}

// sameInputs reports whether two trees have the same inputs and hand the same to them,
// as far as flake.nix and flake.lock say.
func sameInputs(a, b *worktree.Tree, changes []worktree.Change) bool {
	return a.Dir == b.Dir && slices.Equal(a.Subflakes, b.Subflakes) && slices.Equal(a.Outside, b.Outside) &&
		!slices.ContainsFunc(changes, func(c worktree.Change) bool {
			base := path.Base(c.Path)
			return base == "flake.nix" || base == "flake.lock"
		})
}

// inherit lets a result have what an earlier one has earned, as far as that
// cannot depend on what changed between them. to is its tree.
func inherit(e, r *Result, to *worktree.Tree, alike bool) {
	if r.Hidden != "" || e.Hidden != "" {
		return
	}
	same, plain := e.Own == r.Own, !e.metadata() && !r.metadata()
	switch {
	case alike && (same || plain):
		r.Earned = merge(r.Earned, e.Earned)
	case plain && r.Marked:
		// Other inputs may use what the flake is as a whole, though none of its own
		// files does. In a tree in the same state the derivation would show that.
		step, _ := difference(to, to, false)
		r.Earned = merge(r.Earned, map[Step]Ways{step: e.Earned[step]})
	}
	if same || plain {
		r.Burnt = merge(r.Burnt, e.Burnt)
	}
	if e.Derivation == r.Derivation && same {
		r.unread(e.Unread...)
		return
	}
	// A file of code that nothing reads as data stays code.
	for _, name := range e.Unread {
		if strings.HasSuffix(name, ".nix") && !r.reads() {
			r.unread(name)
		}
	}
}

// compare draws conclusions from two results.
func compare(e, r *Result, from, to *worktree.Tree, changes []worktree.Change, alike bool, imported func(string) bool) {
	step, ways := difference(from, to, len(changes) > 0)
	if ways == (Ways{}) || (from.Uncertain || to.Uncertain) && step != Dirty {
		return
	}
	// What was imported, if that is known of one of them only, is known by its
	// contents.
	known := r
	if r.Hidden != "" {
		known = e
	}
	if known.Hidden != "" {
		return
	}
	same := Own(known.Imports, from) == Own(known.Imports, to) && (e.Hidden != "" || r.Hidden != "" || e.Own == r.Own)
	both := []*Result{e, r}
	if e.Derivation == r.Derivation {
		for _, x := range both {
			if x.Hidden != "" {
				continue
			}
			if alike && (same || !known.metadata() && !x.metadata() && e.Hidden == "" && r.Hidden == "") {
				x.Earned = merge(x.Earned, map[Step]Ways{step: ways})
			}
			if from.Shape() != to.Shape() {
				continue
			}
			for _, c := range changes {
				if _, ok := x.Imports[c.Path]; !ok && !has(x.Copied, c.Path) && same {
					x.unread(c.Path)
				}
			}
			other, q := r, Question{Base: x, From: from, To: to, Imported: imported}
			if x == r {
				other, q.From, q.To = e, to, from
			}
			// What an answer without a read set gave holds for both, if that is all
			// the same to the one that has one.
			if other.Hidden != "" && same && !x.Holds(other.Tree) && !slices.ContainsFunc(changes, func(c worktree.Change) bool { return x.mayRead(c, q) }) {
				x.Same = append(x.Same, other.Tree)
			}
		}
		return
	}
	// Nothing that is known to be read changed, and yet the result did: then it
	// was the tree as a whole. What a derivation shows need not be noted; nor should it,
	// since what is noted lasts longer.
	for _, x := range both {
		q := Question{Base: x, From: from, To: to, Imported: imported}
		if x == r {
			q.From, q.To = to, from
		}
		if x.Hidden != "" || x.shows(ways) != "" || from.Shape() != to.Shape() || slices.ContainsFunc(changes, func(c worktree.Change) bool { return x.mayRead(c, q) }) {
			continue
		}
		x.Burnt = merge(x.Burnt, map[Step]Ways{step: ways})
	}
}

func merge(a, b map[Step]Ways) map[Step]Ways {
	if len(b) == 0 {
		return a
	}
	out := maps.Clone(a)
	if out == nil {
		out = map[Step]Ways{}
	}
	for step, w := range b {
		out[step] = out[step].or(w)
	}
	return out
}

func (r *Result) unread(paths ...string) {
	r.Unread = append(r.Unread, paths...)
	slices.Sort(r.Unread)
	r.Unread = slices.Compact(r.Unread)
}
