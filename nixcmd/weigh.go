package nixcmd

import (
	"cmp"
	"fmt"
	"slices"
)

// Weight is what one path means to the size of a closure.
type Weight struct {
	// Path is the path, Size its own size in bytes of NAR.
	Path StorePath
	Size int64
	// Frees is by how much the closure would shrink if nothing in it referred to
	// the path any more: its own size and that of everything that only it brings
	// in. In terms of graphs, the sizes of all paths that it dominates.
	Frees int64
	// Via is the shortest chain of references from the closure's root to the
	// path: the root first, the path itself last. Of several that are equally
	// short, the first in the order of paths.
	Via []StorePath
}

// Weigh says of every path that root reaches what it means to the size of
// root's closure, sorted by Size, the largest first, then by path. Paths of
// the closure that root does not reach, and references to paths that the closure
// lacks, are passed over. The error is that the closure lacks root.
func Weigh(root StorePath, closure []PathInfo) ([]Weight, error) {
	g := newGraph(closure)
	start, ok := g.index[root]
	if !ok {
		return nil, fmt.Errorf("the closure of %s does not hold it", abbreviated(string(root)))
	}
	parent := g.breadthFirst(start)
	order := g.postorder(start)
	dominator := g.dominators(start, order)

	frees := make([]int64, len(closure))
	for _, n := range order { // what a path dominates comes before it
		frees[n] += closure[n].NarSize
		if n != start {
			frees[dominator[n]] += frees[n]
		}
	}
	weights := make([]Weight, 0, len(order))
	for _, n := range order {
		var via []StorePath
		for at := n; at >= 0; at = parent[at] {
			via = append(via, closure[at].Path)
		}
		slices.Reverse(via)
		weights = append(weights, Weight{Path: closure[n].Path, Size: closure[n].NarSize, Frees: frees[n], Via: via})
	}
	slices.SortFunc(weights, func(a, b Weight) int { return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Path, b.Path)) })
	return weights, nil
}

// graph is a closure with numbers for paths.
type graph struct {
	index map[StorePath]int
	refs  [][]int
}

func newGraph(closure []PathInfo) graph {
	g := graph{index: make(map[StorePath]int, len(closure)), refs: make([][]int, len(closure))}
	for i, info := range closure {
		g.index[info.Path] = i
	}
	for i, info := range closure {
		for _, r := range info.References {
			if to, ok := g.index[r]; ok && to != i {
				g.refs[i] = append(g.refs[i], to)
			}
		}
	}
	return g
}

// breadthFirst gives each node the one from which it is reached on a shortest
// way; -1 for the start and for what is not reached.
func (g graph) breadthFirst(start int) (parent []int) {
	parent = make([]int, len(g.refs))
	seen := make([]bool, len(g.refs))
	for i := range parent {
		parent[i] = -1
	}
	seen[start] = true
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		for _, to := range g.refs[queue[0]] {
			if !seen[to] {
				seen[to], parent[to] = true, queue[0]
				queue = append(queue, to)
			}
		}
	}
	return parent
}

// postorder lists what is reached, each node after all that it leads to, but for
// cycles.
func (g graph) postorder(start int) []int {
	type visit struct{ node, next int }
	order := make([]int, 0, len(g.refs))
	seen := make([]bool, len(g.refs))
	seen[start] = true
	// Not recursive: a closure from a host may be as deep as it likes.
	for stack := []visit{{start, 0}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if top.next == len(g.refs[top.node]) {
			order = append(order, top.node)
			stack = stack[:len(stack)-1]
			continue
		}
		to := g.refs[top.node][top.next]
		top.next++
		if !seen[to] {
			seen[to] = true
			stack = append(stack, visit{to, 0})
		}
	}
	return order
}

// dominators finds for each node the nearest through which every way from the
// start leads (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm).
// order is the postorder; entries of nodes that are not in it mean nothing.
func (g graph) dominators(start int, order []int) []int {
	rank := make([]int, len(g.refs))
	froms := make([][]int, len(g.refs))
	dominator := make([]int, len(g.refs))
	for i := range dominator {
		dominator[i] = -1
	}
	for i, n := range order {
		rank[n] = i
		for _, to := range g.refs[n] {
			froms[to] = append(froms[to], n)
		}
	}
	dominator[start] = start
	common := func(a, b int) int {
		for a != b {
			for rank[a] < rank[b] {
				a = dominator[a]
			}
			for rank[b] < rank[a] {
				b = dominator[b]
			}
		}
		return a
	}
	for changed := true; changed; { // once, but for cycles
		changed = false
		for _, n := range slices.Backward(order) {
			if n == start {
				continue
			}
			nearest := -1
			for _, from := range froms[n] {
				switch {
				case dominator[from] < 0:
				case nearest < 0:
					nearest = from
				default:
					nearest = common(nearest, from)
				}
			}
			if dominator[n] != nearest {
				dominator[n], changed = nearest, true
			}
		}
	}
	return dominator
}
