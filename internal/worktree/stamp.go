package worktree

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Stamp is the state of a tree's files without their contents. A file that was
// changed, and changed back, has another.
type Stamp struct {
	sum string
	// Sizes are those of the files, in bytes, in the order of
	// Entries; -1 for what is not a file there.
	Sizes []int64
}

// Same reports whether nothing was touched between two stamps of a tree.
func (s Stamp) Same(other Stamp) bool { return s.sum == other.sum }

// Stamp looks at every file of the tree, and at what Git writes when it moves to
// another revision. Nothing can touch a commit.
func (t *Tree) Stamp() (Stamp, error) {
	if t.commit != nil {
		return Stamp{Sizes: t.commit.sizes}, nil
	}
	files := len(t.Entries)
	stats := make([]stat, files+len(t.gone))
	if err := atOnce(len(stats), func(i int) (err error) {
		var path string
		if i < files {
			path = t.Entries[i].Path
		} else {
			path = t.gone[i-files]
		}
		stats[i], err = lstat(t.Root + "/" + path)
		return err
	}); err != nil {
		return Stamp{}, err
	}
	s := Stamp{Sizes: make([]int64, files)}
	h := sha256.New()
	for i, st := range stats {
		fmt.Fprintf(h, "%o %d %d %d %d %v\n", st.mode, st.ino, st.size, st.mtime, st.ctime, st.missing)
		if i >= files {
			continue
		}
		s.Sizes[i] = -1
		if mode := st.gitMode(); mode == ModeFile || mode == ModeExecutable {
			s.Sizes[i] = st.size
		}
	}
	if t.Git {
		for _, name := range []string{"HEAD", "logs/HEAD"} {
			st, err := lstat(filepath.Join(t.gitDir, name))
			if err != nil {
				return Stamp{}, err
			}
			fmt.Fprintf(h, "%d %d %d %d\n", st.ino, st.size, st.mtime, st.ctime)
		}
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// Touched is another text once anything may have changed that a new snapshot would
// show: a file, what Git tracks, or where its HEAD is. It may be another though nothing
// has. A change outside of the tree, as of an input there, is not noticed.
func (t *Tree) Touched() (string, error) {
	stamp, err := t.Stamp()
	if err != nil {
		return "", err
	}
	names := []string{t.Root}
	if t.Git {
		names = []string{filepath.Join(t.gitDir, "index"), filepath.Join(t.gitDir, "index.lock"), filepath.Join(t.commonDir, "packed-refs")}
		if head, err := os.ReadFile(filepath.Join(t.gitDir, "HEAD")); err == nil {
			if ref, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: "); ok {
				names = append(names, filepath.Join(t.commonDir, ref))
			}
		}
	}
	h := sha256.New()
	fmt.Fprintln(h, stamp.sum)
	for _, name := range names {
		st, err := lstat(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%d %d %d %d %v\n", st.ino, st.size, st.mtime, st.ctime, st.missing)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
