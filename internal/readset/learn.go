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
	var pairs []*pair
	for _, e := range earlier {
		from := tree(e)
		if from == nil || e.Settings != r.Settings || e.Hidden != "" && r.Hidden != "" {
			continue
		}
		pairs = append(pairs, newPair(e, r, from, to, imported))
	}
	inherit(r, to, pairs)
	for _, p := range pairs {
		p.compare()
	}
	for _, p := range pairs {
		if p.same { // what one was seen to open, the other may look at a part of
			p.e.Unread, r.Unread = besides(p.e.Unread, r.Opened), besides(r.Unread, p.e.Opened)
		}
	}
}

// besides are the texts of a list that are not in a sorted one.
func besides(list, sorted []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return has(sorted, s) })
}

// pair are two results, of which not both are hidden, and how they differ.
type pair struct {
	e, r     *Result
	from, to *worktree.Tree
	changes  []worktree.Change
	imported func(string) bool

	// pinned says that both have the same inputs, and hand the same to them as far as
	// flake.nix tells.
	pinned bool
	// same says that what is imported is the same; still, that besides nothing that either
	// may read differs. (Before the newer one has any Unread of the older.)
	same, still bool
	// unnamed says that none of what either imports, as far as that is known, names what
	// Nix says of the tree as a whole.
	unnamed bool
}

func newPair(e, r *Result, from, to *worktree.Tree, imported func(string) bool) *pair {
	p := &pair{e: e, r: r, from: from, to: to, changes: worktree.Changes(from, to), imported: imported}
	p.pinned = from.Dir == to.Dir && slices.Equal(from.Subflakes, to.Subflakes) && slices.Equal(from.Outside, to.Outside) &&
		!slices.ContainsFunc(p.changes, func(c worktree.Change) bool {
			base := path.Base(c.Path)
			return base == "flake.nix" || base == "flake.lock"
		})
	switch {
	case e.Hidden == "" && r.Hidden == "":
		p.same = e.Own == r.Own
		p.unnamed = !e.metadata() && !r.metadata()
	case r.Hidden == "":
		p.same, p.unnamed = p.alsoOf(r)
	default:
		p.same, p.unnamed = p.alsoOf(e)
	}
	submodule := func(c worktree.Change) bool { return c.After.Mode == worktree.ModeSubmodule }
	p.same = p.same && !slices.ContainsFunc(p.changes, submodule)
	p.still = p.same && from.Shape() == to.Shape() && !p.touches(e) && !p.touches(r)
	return p
}

// alsoOf reports whether what is known to be imported for one of the two, the other being
// hidden, is the same for that, and unnamed. Files that may ask whether the tree is clean
// may import others then.
func (p *pair) alsoOf(known *Result) (same, unnamed bool) {
	named := known.metadata()
	same = Own(known.Imports, p.from) == Own(known.Imports, p.to) && (p.from.Dirty == p.to.Dirty || !named)
	return same, same && !named
}

// touches reports whether one of the two may read what differs; of a hidden one that is
// not known.
func (p *pair) touches(x *Result) bool {
	if x.Hidden != "" {
		return false
	}
	q := Question{Base: x, From: p.from, To: p.to, Imported: p.imported}
	if x == p.r {
		q.From, q.To = p.to, p.from
	}
	return slices.ContainsFunc(p.changes, func(c worktree.Change) bool { return x.mayRead(c, q) })
}

// inherit lets a result have what earlier ones have earned, as far as that cannot depend
// on what changed between them. to is its tree.
func inherit(r *Result, to *worktree.Tree, pairs []*pair) {
	if r.Hidden != "" {
		return
	}
	// What was found to matter may have ceased to, with other files or inputs: it is to be
	// earned anew.
	var burnt map[Step]Ways
	for _, p := range pairs {
		if p.unnamed {
			burnt = merge(burnt, p.e.Burnt)
		}
	}
	for _, p := range pairs {
		e := p.e
		if e.Hidden != "" {
			continue
		}
		switch {
		case p.pinned && p.still:
			r.Earned, r.Burnt = merge(r.Earned, e.Earned), merge(r.Burnt, e.Burnt)
		case p.pinned && p.unnamed:
			r.Earned = merge(r.Earned, without(e.Earned, burnt))
		case p.unnamed && r.Marked:
			// Other inputs may use what the flake is as a whole, though none of its own
			// files does. In a tree in the same state the derivation would show that.
			step := stepOf(to, to)
			r.Earned = merge(r.Earned, without(map[Step]Ways{step: e.Earned[step]}, burnt))
		}
		if e.Derivation == r.Derivation && p.same {
			r.unread(e.Unread...)
			continue
		}
		// A file of code that nothing reads as data stays code.
		for _, name := range e.Unread {
			if strings.HasSuffix(name, ".nix") && !r.reads() && !r.turns(name) {
				r.unread(name)
			}
		}
	}
}

// compare draws conclusions from two results.
func (p *pair) compare() {
	step, ways := difference(p.from, p.to, len(p.changes) > 0)
	if ways == (Ways{}) || p.from.Git != p.to.Git || (p.from.Uncertain || p.to.Uncertain) && step != Dirty {
		return
	}
	for _, x := range []*Result{p.e, p.r} {
		switch {
		case x.Hidden != "":
		case p.e.Derivation == p.r.Derivation:
			p.alike(x, step)
		case x.shows(ways) == "" && p.from.Shape() == p.to.Shape() && !p.touches(x):
			// Nothing that is known to be read changed, and yet the result did: then it
			// was the tree as a whole. What a derivation shows need not be noted; nor should it,
			// since what is noted lasts longer.
			x.Burnt = merge(x.Burnt, map[Step]Ways{step: ways})
		}
	}
}

// alike draws conclusions for one of two results that are the same.
func (p *pair) alike(x *Result, step Step) {
	if p.pinned && (p.still || p.unnamed) {
		x.Earned = merge(x.Earned, map[Step]Ways{step: p.certainly()})
	}
	if p.from.Shape() != p.to.Shape() {
		return
	}
	for _, c := range p.changes {
		if _, ok := x.Imports[c.Path]; !ok && !has(x.Copied, c.Path) && p.same && c.Certain() {
			x.unread(c.Path)
		}
	}
	other := p.e
	if x == p.e {
		other = p.r
	}
	// What an answer without a read set gave holds for both, if that is all
	// the same to the one that has one.
	if other.Hidden != "" && p.same && !x.Holds(other.Tree) && !p.touches(x) {
		x.Same = append(x.Same, other.Tree)
	}
}

// certainly is how the trees differ for certain: the index alone, and how far history goes,
// need make no difference to Nix.
func (p *pair) certainly() Ways {
	_, w := difference(p.from, p.to, slices.ContainsFunc(p.changes, worktree.Change.InWorkTree))
	before, _, _ := strings.Cut(p.from.Head, " ")
	after, _, _ := strings.Cut(p.to.Head, " ")
	w.Revision = before != after
	return w
}

func merge(a, b map[Step]Ways) map[Step]Ways {
	for step, w := range b {
		if w == (Ways{}) {
			continue
		}
		if a == nil {
			a = map[Step]Ways{}
		}
		a[step] = a[step].or(w)
	}
	return a
}

// without is a less what is in b.
func without(a, b map[Step]Ways) map[Step]Ways {
	out := map[Step]Ways{}
	for step, v := range a {
		w := b[step]
		out[step] = Ways{v.Contents && !w.Contents, v.Revision && !w.Revision, v.State && !w.State}
	}
	return out
}

func (r *Result) unread(paths ...string) {
	r.Unread = append(r.Unread, paths...)
	slices.Sort(r.Unread)
	r.Unread = slices.Compact(r.Unread)
}
