package readset

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

func tree(id string) *worktree.Tree {
	return worktree.New(worktree.Tree{Git: true, Entries: []worktree.Entry{{Path: "flake.nix", Mode: worktree.ModeFile, ID: id}}})
}

// What is damaged, cut short or of another version is as if it had never been.
func TestStoreDamaged(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	tr := tree("1")
	if s.Load("a") != nil || s.Tree(tr.Fingerprint()) != nil || s.Hosts() != nil {
		t.Error("an empty store is not empty")
	}
	s = Open(dir)
	if err := s.KeepTree(tr); err != nil {
		t.Fatal(err)
	}
	if err := s.Save("a", []*Result{{Tree: tr.Fingerprint(), Derivation: "d"}}); err != nil {
		t.Fatal(err)
	}
	s = Open(dir)
	if r := s.Load("a"); len(r) != 1 || r[0].Derivation != "d" || s.Tree(r[0].Tree) == nil {
		t.Fatalf("%+v", r)
	}
	for _, file := range []string{s.hostFile("a"), s.treeFile(tr.Fingerprint())} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, len(data) / 2, len(data) - 1} {
			flipped := append([]byte(nil), data...)
			flipped[n] ^= 1
			for _, bad := range [][]byte{data[:n], flipped} {
				if err := os.WriteFile(file, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				s := Open(dir)
				if s.Load("a") != nil && s.Tree(tr.Fingerprint()) != nil {
					t.Errorf("%s: damage at %d is not seen", filepath.Base(file), n)
				}
			}
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// It is bounded, and forgets what nothing refers to.
func TestStoreBounded(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	var results []*Result
	long := time.Now().Add(-2 * old)
	for i := range 50 {
		tr := tree(strconv.Itoa(i))
		r := &Result{Tree: tr.Fingerprint()}
		if i%2 == 0 {
			r.Hidden = "x"
		}
		for j := range 100 {
			r.Same = append(r.Same, strconv.Itoa(j))
		}
		results = append(results, r)
		if err := s.KeepTree(tr); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(s.treeFile(tr.Fingerprint()), long, long)
	}
	if err := s.Save("a", results); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts", ".tmp-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(filepath.Join(dir, "hosts", ".tmp-1"), long, long)
	fresh := tree("fresh")
	if err := s.KeepTree(fresh); err != nil {
		t.Fatal(err)
	}
	s.Clean()
	s = Open(dir)
	kept := s.Load("a")
	if len(kept) != keepKnown+keepHidden || len(kept[0].Same) != keepSame || kept[0].Same[keepSame-1] != "99" {
		t.Errorf("%d results with %d", len(kept), len(kept[0].Same))
	}
	for _, r := range kept {
		if s.Tree(r.Tree) == nil {
			t.Error("the tree of a result is gone")
		}
	}
	files, _ := os.ReadDir(filepath.Join(dir, "trees"))
	if len(files) != len(kept)+1 || s.Tree(fresh.Fingerprint()) == nil {
		t.Errorf("%d trees for %d results and one that is new", len(files), len(kept))
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "hosts")); len(files) != 1 {
		t.Errorf("%v", files)
	}
}

// Processes at the same time see whole files.
func TestStoreConcurrent(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				s := Open(dir)
				tr := tree(strconv.Itoa(n))
				if err := s.KeepTree(tr); err != nil {
					t.Error(err)
				}
				if err := s.Save("a", []*Result{{Tree: tr.Fingerprint(), Derivation: strconv.Itoa(i)}}); err != nil {
					t.Error(err)
				}
				if r := s.Load("a"); len(r) != 1 || Open(dir).Tree(r[0].Tree) == nil {
					t.Errorf("%+v", r)
				}
				s.Clean()
			}
		})
	}
	wg.Wait()
}
