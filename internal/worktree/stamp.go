package worktree

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
)

// Stamp is the state of a tree's files without their contents. A file that was
// changed, and changed back, has another.
type Stamp struct {
	sum string
	// Sizes are those of the files in the work tree, in bytes, in the order of
	// Entries; -1 for what is not a file there.
	Sizes []int64
}

// Same reports whether nothing was touched between two stamps of a tree.
func (s Stamp) Same(other Stamp) bool { return s.sum == other.sum }

// Stamp looks at every file of the tree, and at what Git writes when it moves to
// another revision.
func (t *Tree) Stamp() (Stamp, error) {
	stats := make([]stat, len(t.Entries))
	if err := atOnce(len(t.Entries), func(i int) (err error) {
		stats[i], err = lstat(t.Root + "/" + t.Entries[i].Path)
		return err
	}); err != nil {
		return Stamp{}, err
	}
	s := Stamp{Sizes: make([]int64, len(stats))}
	h := sha256.New()
	for i, st := range stats {
		fmt.Fprintf(h, "%o %d %d %d %d %v\n", st.mode, st.ino, st.size, st.mtime, st.ctime, st.missing)
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
