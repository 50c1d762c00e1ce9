package nixcmd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func numbered(n int) StorePath {
	return StorePath(fmt.Sprintf("%s/%s-p%d", StoreDir, strings.Repeat("0", 32), n))
}

// closureOf makes a closure of edges: node i refers to refs[i] and is i+1 bytes.
func closureOf(refs [][]int) []PathInfo {
	var closure []PathInfo
	for i, to := range refs {
		info := PathInfo{Path: numbered(i), NarSize: int64(i + 1)}
		for _, t := range to {
			info.References = append(info.References, numbered(t))
		}
		closure = append(closure, info)
	}
	return closure
}

func TestWeigh(t *testing.T) {
	// 0 → 1, 2; both → 3 → 4; 2 → 5; 6 is not reached. 1 refers to itself.
	w, err := Weigh(numbered(0), closureOf([][]int{{1, 2}, {1, 3}, {3, 5}, {4}, {}, {9}, {}}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range w {
		via := ""
		for _, p := range x.Via {
			via += " " + p.Name()
		}
		got = append(got, fmt.Sprintf("%s %d %d:%s", x.Path.Name(), x.Size, x.Frees, via))
	}
	want := []string{
		"p5 6 6: p0 p2 p5", "p4 5 5: p0 p1 p3 p4", "p3 4 9: p0 p1 p3",
		"p2 3 9: p0 p2", "p1 2 2: p0 p1", "p0 1 21: p0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if _, err := Weigh(numbered(9), nil); err == nil {
		t.Error("no error without the root")
	}
}

// Frees is what it says: the size that is no longer reached once the path is
// taken out. Via is a way, and no shorter one exists. Also with cycles.
func TestWeighProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 14).Draw(t, "nodes")
		refs := make([][]int, n)
		for i := range refs {
			refs[i] = rapid.SliceOfN(rapid.IntRange(0, n), 0, 4).Draw(t, fmt.Sprint("refs ", i))
		}
		closure := closureOf(refs)
		weights, err := Weigh(numbered(0), closure)
		if err != nil {
			t.Fatal(err)
		}
		reach := func(without int) (size int64, depth map[int]int) {
			depth = map[int]int{}
			if without == 0 {
				return 0, depth
			}
			depth[0] = 0
			for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
				size += closure[queue[0]].NarSize
				for _, to := range refs[queue[0]] {
					if _, seen := depth[to]; to < n && to != without && !seen {
						depth[to] = depth[queue[0]] + 1
						queue = append(queue, to)
					}
				}
			}
			return size, depth
		}
		all, depth := reach(-1)
		if len(weights) != len(depth) {
			t.Fatalf("%d weights, %d are reached", len(weights), len(depth))
		}
		for _, w := range weights {
			i := slices.IndexFunc(closure, func(p PathInfo) bool { return p.Path == w.Path })
			without, _ := reach(i)
			if w.Frees != all-without {
				t.Fatalf("%s frees %d, want %d in %v", w.Path, w.Frees, all-without, refs)
			}
			if len(w.Via) != depth[i]+1 || w.Via[0] != numbered(0) || w.Via[len(w.Via)-1] != w.Path {
				t.Fatalf("%s via %v, depth %d", w.Path, w.Via, depth[i])
			}
			for k := 1; k < len(w.Via); k++ {
				from := slices.IndexFunc(closure, func(p PathInfo) bool { return p.Path == w.Via[k-1] })
				if !slices.Contains(closure[from].References, w.Via[k]) {
					t.Fatalf("%v is no way in %v", w.Via, refs)
				}
			}
		}
	})
}

// syntheticClosure has as many paths as a NixOS desktop, each referring to some
// of those behind it, as store paths do.
func syntheticClosure(paths int) []PathInfo {
	r := rand.New(rand.NewPCG(1, 2))
	refs := make([][]int, paths)
	for i := range refs {
		if i > 0 { // reached
			from := r.IntN(i)
			refs[from] = append(refs[from], i)
		}
		for range r.IntN(16) {
			if i+1 < paths {
				refs[i] = append(refs[i], i+1+r.IntN(paths-i-1))
			}
		}
	}
	return closureOf(refs)
}

func BenchmarkWeigh(b *testing.B) {
	closure := syntheticClosure(3650)
	for b.Loop() {
		if _, err := Weigh(numbered(0), closure); err != nil {
			b.Fatal(err)
		}
	}
}
