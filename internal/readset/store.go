package readset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// Store keeps results and trees in a directory, a file for each host and for
// each tree. Files are written in one step and checked when they are read: one
// that is damaged, of another version or gone is as if it had never been. Several
// goroutines and processes may use one directory; of two that add to one host at the same
// time, the later takes away what the earlier has just added, which costs an evaluation.
type Store struct {
	dir string

	mu    sync.Mutex
	trees map[string]*worktree.Tree
}

// Open returns the store in a directory, which is made when something is saved.
func Open(dir string) *Store { return &Store{dir: dir, trees: map[string]*worktree.Tree{}} }

// The numbers of results that are kept for a host, of those that say what they
// read and of others, and of trees that each holds for.
const (
	keepKnown  = 6
	keepHidden = 8
	keepSame   = 4
)

// version is part of every file; another reads as nothing. It is another whenever Scan is.
const version = "flotilla results 8"

// Load returns the results for a host, the newest first; nil if there are none.
func (s *Store) Load(host string) []*Result {
	data, err := os.ReadFile(s.hostFile(host))
	if err != nil {
		return nil
	}
	head, body, ok := bytes.Cut(data, []byte("\n"))
	var results []*Result
	if !ok || string(head) != checked(body) || json.Unmarshal(body, &results) != nil {
		return nil
	}
	return slices.DeleteFunc(results, func(r *Result) bool { return r == nil })
}

// Has reports whether there may be results for a host, without reading them.
func (s *Store) Has(host string) bool {
	_, err := os.Lstat(s.hostFile(host))
	return err == nil
}

// Hosts are the hosts there are results for.
func (s *Store) Hosts() []string {
	files, err := os.ReadDir(filepath.Join(s.dir, "hosts"))
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.Name(), "host-"); ok {
			names = append(names, name)
		}
	}
	return names
}

func checked(body []byte) string {
	sum := sha256.Sum256(body)
	return version + " " + hex.EncodeToString(sum[:16])
}

// hostFile is the file of a host, whose name is a word.
func (s *Store) hostFile(host string) string { return filepath.Join(s.dir, "hosts", "host-"+host) }

func (s *Store) treeFile(fingerprint string) string {
	return filepath.Join(s.dir, "trees", fingerprint)
}

// Save keeps the newest results for a host, which come first, in place of what was there.
// The trees that they hold for must have been kept with KeepTree. It shortens the lists Same
// of the results that it is given. Errors are those of the file system.
func (s *Store) Save(host string, results []*Result) error {
	known, hidden := 0, 0
	var kept []*Result
	for _, r := range results {
		if r.Hidden == "" {
			known++
		} else {
			hidden++
		}
		if r.Hidden == "" && known > keepKnown || r.Hidden != "" && hidden > keepHidden {
			continue
		}
		if n := len(r.Same); n > keepSame {
			r.Same = r.Same[n-keepSame:]
		}
		kept = append(kept, r)
	}
	body, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return replace(s.hostFile(host), append([]byte(checked(body)+"\n"), body...))
}

// KeepTree keeps a tree, in memory also if the error, of the file system, is not nil.
func (s *Store) KeepTree(t *worktree.Tree) error {
	s.mu.Lock()
	s.trees[t.Fingerprint()] = t
	s.mu.Unlock()
	file := s.treeFile(t.Fingerprint())
	if _, err := os.Lstat(file); err == nil {
		// Younger now than what Clean takes away.
		now := time.Now()
		return os.Chtimes(file, now, now)
	}
	return replace(file, t.Encode())
}

// Tree returns the tree of a fingerprint, nil if it is not there. It is read once.
func (s *Store) Tree(fingerprint string) *worktree.Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.trees[fingerprint]; ok {
		return t
	}
	var t *worktree.Tree
	if data, err := os.ReadFile(s.treeFile(fingerprint)); err == nil {
		t, _ = worktree.Decode(data, fingerprint)
	}
	s.trees[fingerprint] = t
	return t
}

// old is how long a file must have been left alone to be taken for forgotten
// and not for one that another process is about to use.
const old = time.Hour

// Clean removes trees that no result holds for, and what processes that were killed
// left behind.
func (s *Store) Clean() {
	used := map[string]bool{}
	for _, host := range s.Hosts() {
		for _, r := range s.Load(host) {
			for _, tree := range r.Trees() {
				used[tree] = true
			}
		}
	}
	for _, folder := range []string{"trees", "hosts"} {
		files, err := os.ReadDir(filepath.Join(s.dir, folder))
		if err != nil {
			continue
		}
		for _, f := range files {
			info, err := f.Info()
			forgotten := strings.HasPrefix(f.Name(), ".tmp-") || folder == "trees" && !used[f.Name()]
			if err == nil && forgotten && time.Since(info.ModTime()) > old {
				_ = os.Remove(filepath.Join(s.dir, folder, f.Name()))
			}
		}
	}
}

// replace writes a file in one step.
func replace(file string, data []byte) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
