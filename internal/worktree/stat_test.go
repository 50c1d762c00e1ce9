package worktree

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Both ways to hash a file agree, whatever its size is in relation to the buffer,
// and also when it is no longer as it was when it was looked at.
func TestHashes(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	link := filepath.Join(dir, "l")
	if err := os.Symlink("f", link); err != nil {
		t.Fatal(err)
	}
	g := newHasher().(*hasher)
	root, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	at := int(root.Fd())
	same := func(what, path string, s stat, digits int) {
		t.Helper()
		want, err := HashFile(path, digits)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := g.file(dir, at, filepath.Base(path), s, digits); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", what, got, err, want)
		}
	}
	for _, digits := range []int{40, 64} {
		for _, size := range []int{0, 1, len(g.buf) - 1, len(g.buf), len(g.buf) + 1, 3 * len(g.buf)} {
			if err := os.WriteFile(name, bytes.Repeat([]byte{'x'}, size), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := lstat(name)
			if err != nil {
				t.Fatal(err)
			}
			same("file", name, s, digits)
			s.size++
			same("shorter than it was", name, s, digits)
			s.size = max(0, s.size-2)
			same("longer than it was", name, s, digits)
			same("a symlink now", link, s, digits)
		}
		s, err := lstat(link)
		if err != nil {
			t.Fatal(err)
		}
		same("symlink", link, s, digits)
	}
	if _, err := g.file(dir, at, "gone", stat{}, 40); err == nil {
		t.Error("a file that is gone has a hash")
	}
}
