package worktree

import (
	"fmt"
	"testing"
)

func aTree() *Tree {
	t := &Tree{Git: true, Head: "h"}
	for i := range 5000 {
		t.Entries = append(t.Entries, Entry{fmt.Sprintf("d%d/e%d/f%d.nix", i/500, i/50%10, i), ModeFile, fmt.Sprintf("%040d", i)})
	}
	return t
}

// BenchmarkFingerprint is that of a tree of 5,000 files, BenchmarkEncode what is kept
// of it.
func BenchmarkFingerprint(b *testing.B) {
	t := aTree()
	b.ReportAllocs()
	for b.Loop() {
		t.seal()
	}
}

func BenchmarkEncode(b *testing.B) {
	t := aTree().seal()
	b.ReportAllocs()
	for b.Loop() {
		t.Encode()
	}
}

// Allocations, never times; see TestAllocations of package fleet. What every run does
// must not cost some for each file of the tree. The race detector doubles them.
func TestAllocations(t *testing.T) {
	tree := aTree()
	for _, c := range []struct {
		what string
		most float64
		do   func()
	}{
		{"the fingerprint of 5,000 files", 80, func() { tree.seal() }},
		{"what is kept of them", 48, func() { tree.Encode() }},
	} {
		n := testing.AllocsPerRun(10, c.do)
		t.Logf("%s: %.0f allocations", c.what, n)
		if n > c.most {
			t.Errorf("%s: %.0f allocations, at most %.0f", c.what, n, c.most)
		}
	}
}
