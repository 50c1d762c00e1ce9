package worktree

import (
	"context"
	"io/fs"
	"path/filepath"
	"strconv"
)

// readPath takes a snapshot of a directory outside of Git, all of which Nix
// copies. Nix dates it by the latest change in it.
func readPath(ctx context.Context, dir string, cache *statCache) (*Tree, error) {
	t := &Tree{Root: dir}
	var stats []stat
	latest := int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s, err := lstat(path)
		if err != nil {
			return err
		}
		latest = max(latest, s.mtime)
		if path == dir {
			return nil
		}
		rel := filepath.ToSlash(path[len(dir)+1:])
		mode := s.gitMode()
		if mode == "" {
			return off("%s is neither file, directory nor symlink", rel)
		}
		t.Entries = append(t.Entries, Entry{Path: rel, Mode: mode, ID: "-"})
		stats = append(stats, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	ids, err := cache.hashAll(dir, t.Entries, stats, 40)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if id != "" {
			t.Entries[i].ID = id
		}
	}
	sortEntries(t.Entries)
	t.Head = strconv.FormatInt(latest, 10)
	return t, nil
}

// within reports whether a file, or the place where it is to be made, is below dir,
// which has no symlinks.
func within(dir, file string) bool {
	for rest := ""; filepath.IsAbs(file); file, rest = filepath.Dir(file), filepath.Join(filepath.Base(file), rest) {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			rel, err := filepath.Rel(dir, filepath.Join(real, rest))
			return err == nil && filepath.IsLocal(rel)
		}
		if file == filepath.Dir(file) {
			break
		}
	}
	return false
}
