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
func Learn(earlier []*Result, r *Result, tree func(*Result) *worktree.Tree) {
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
		pairs = append(pairs, newPair(e, r, from, to))
	}
	inherit(r, to, pairs)
	for _, p := range pairs {
		p.compare()
	}
}

// pair are two results, of which not both are hidden, and how they differ.
type pair struct {
	e, r     *Result
	from, to *worktree.Tree
	changes  []worktree.Change

	// pinned says that both have the same inputs, and hand the same to them as far as
	// flake.nix tells.
	pinned bool
	// same says that what is imported is the same; still, that besides nothing that either
	// may read differs.
	same, still bool
	// unnamed says that none of what either imports, as far as that is known, names what
	// Nix says of the tree as a whole.
	unnamed bool
}

func newPair(e, r *Result, from, to *worktree.Tree) *pair {
	p := &pair{e: e, r: r, from: from, to: to, changes: worktree.Changes(from, to)}
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
	to := p.to
	if x == p.r {
		to = p.from
	}
	return slices.ContainsFunc(p.changes, func(c worktree.Change) bool { return x.mayRead(c, to) })
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
			r.beyond(p.acrossFrom()...)
		case p.pinned && p.unnamed:
			earned := without(e.Earned, burnt)
			if !e.Observed || !r.Observed || p.oneSided() {
				earned = without(earned, map[Step]Ways{Mixed: {State: true}})
			}
			r.Earned = merge(r.Earned, earned)
			r.beyond(p.acrossFrom()...)
		case p.unnamed && r.Marked:
			// Other inputs may use what the flake is as a whole, though none of its own
			// files does. In a tree in the same state the derivation would show that.
			step := stepOf(to, to)
			r.Earned = merge(r.Earned, without(map[Step]Ways{step: e.Earned[step]}, burnt))
		}
	}
}

// oneSided reports whether something differs that the host was seen to read either in clean trees or in dirty
// ones.
func (p *pair) oneSided() bool {
	return slices.ContainsFunc(p.changes, func(c worktree.Change) bool {
		called := names(p.to.Links, c.Path)
		return called == nil || slices.ContainsFunc(called, func(n string) bool { return has(p.e.Beyond, n) != p.e.surely(n) })
	})
}

// acrossFrom is what the older one was seen to read in trees of the state that the newer one's is not in.
func (p *pair) acrossFrom() [][]string {
	if p.from.Dirty == p.to.Dirty {
		return [][]string{p.e.Beyond}
	}
	return p.e.read()
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
			if step == Dirty && ways.Contents { // and so in clean ones
				x.Burnt = merge(x.Burnt, map[Step]Ways{Clean: {Contents: true}, Mixed: {Contents: true}})
			}
		}
	}
}

// alike draws conclusions for one of two results that are the same.
func (p *pair) alike(x *Result, step Step) {
	other := p.e
	if x == p.e {
		other = p.r
	}
	if p.pinned && (p.still || p.unnamed) {
		ways := p.certainly()
		if ways.State && x.Observed && other.Observed && p.still {
			x.beyond(other.read()...)
		} else { // which may read there what nobody saw
			ways.State = false
		}
		x.Earned = merge(x.Earned, map[Step]Ways{step: ways})
	}
	if p.from.Shape() != p.to.Shape() {
		return
	}
	// What an answer without a read set gave holds for both, if that is all
	// the same to the one that has one.
	if other.Hidden != "" && p.same && p.from.Dirty == p.to.Dirty && !x.Holds(other.Tree) && !p.touches(x) {
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

// read is what the host was seen to read.
func (r *Result) read() [][]string {
	return [][]string{r.Opened, r.Copied, slices.Collect(maps.Keys(r.Imports))}
}

func (r *Result) beyond(lists ...[]string) {
	r.Beyond = slices.Concat(append(lists, r.Beyond)...)
	slices.Sort(r.Beyond)
	r.Beyond = slices.Compact(r.Beyond)
}
