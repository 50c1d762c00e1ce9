package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// commit is where the files of a snapshot are that is not one of a work tree.
type commit struct {
	root string
	// sizes are those of the entries, as in Stamp.
	sizes []int64
	// known are the contents of the files that the snapshot itself needs, by path.
	known map[string]string
}

var fullName = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// ReadCommit takes a snapshot of a commit of the repository that a flake's directory
// is in; id is its full name. A clean work tree at that commit has the same one.
// Errors are those of Read. Commits of which Git may make other files than they hold
// (filters, submodules) have none.
func ReadCommit(ctx context.Context, dir, id string) (*Tree, error) {
	if !fullName.MatchString(id) {
		return nil, fmt.Errorf("%q is not the full name of a commit", id)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	root, ok := findRoot(dir)
	if !ok {
		return nil, off("the flake is not in Git")
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: root, Git: true, Head: id, commit: &commit{root: root}}
	if rel != "." {
		t.Dir = filepath.ToSlash(rel)
	}
	var config string
	err = parallel(
		func() error {
			files, err := git(ctx, root, "--no-replace-objects", "ls-tree", "-r", "-l", "-z", "--full-tree", id)
			if err == nil {
				err = t.parseTree(files)
			}
			return err
		},
		func() (err error) {
			config, err = gitConfig(ctx, root)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	if err := t.findGitDirs(); err != nil {
		return nil, err
	}
	if err := t.judgeConfig(config); err != nil {
		return nil, err
	}
	if err := t.readKnown(ctx); err != nil {
		return nil, err
	}
	for name, text := range t.commit.known {
		if path.Base(name) == ".gitattributes" {
			t.heed(text)
		}
	}
	if t.Uncertain || t.flakeNames(lfs) {
		return nil, off("files go through filters of Git")
	}
	if err := t.readLock(ctx); err != nil {
		return nil, err
	}
	t.readLinks()
	return t.seal(), nil
}

// parseTree reads `git ls-tree -r -l -z`: MODE TYPE ID SIZE<tab>PATH.
func (t *Tree) parseTree(out string) error {
	t.Entries = make([]Entry, 0, strings.Count(out, "\x00"))
	for out != "" {
		record, rest, _ := strings.Cut(out, "\x00")
		out = rest
		head, name, ok := strings.Cut(record, "\t")
		f := strings.Fields(head)
		if !ok || len(f) != 4 {
			return fmt.Errorf("unexpected output of git ls-tree: %q", record)
		}
		if f[0] == ModeSubmodule {
			return off("commits with submodules are not compared")
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil || !slices.Contains([]string{ModeFile, ModeExecutable, ModeSymlink}, f[0]) {
			return off("%s is neither file nor symlink", name)
		}
		if f[0] == ModeSymlink {
			size = -1
		}
		t.Entries = append(t.Entries, Entry{Path: name, Mode: f[0], ID: f[2]})
		t.commit.sizes = append(t.commit.sizes, size)
	}
	if !slices.IsSortedFunc(t.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) }) {
		return errors.New("unexpected output of git ls-tree: it is not sorted")
	}
	return nil
}

// readKnown reads what the snapshot itself is made from.
func (t *Tree) readKnown(ctx context.Context) error {
	var names []string
	for _, e := range t.Entries {
		if e.Mode == ModeSymlink || path.Base(e.Path) == ".gitattributes" || e.Path == t.FlakePath("flake.nix") || e.Path == t.FlakePath("flake.lock") {
			names = append(names, e.Path)
		}
	}
	var err error
	t.commit.known, err = t.commit.texts(ctx, t, names)
	return err
}

// texts reads files of the commit, by their paths.
func (c *commit) texts(ctx context.Context, t *Tree, names []string) (map[string]string, error) {
	var ids []string
	for _, name := range names {
		e, ok := t.Find(name)
		if !ok {
			return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
		}
		ids = append(ids, e.ID)
	}
	blobs, err := c.blobs(ctx, ids)
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string, len(names))
	for i, name := range names {
		texts[name] = blobs[ids[i]]
	}
	return texts, nil
}

// blobs reads objects, by their names.
func (c *commit) blobs(ctx context.Context, ids []string) (map[string]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := gitWith(ctx, c.root, strings.NewReader(strings.Join(ids, "\n")+"\n"), "--no-replace-objects", "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	// For each: ID "blob" SIZE, the contents, and a line feed.
	blobs := make(map[string]string, len(ids))
	for _, id := range ids {
		head, rest, _ := strings.Cut(out, "\n")
		f := strings.Fields(head)
		if len(f) != 3 || f[0] != id || f[1] != "blob" {
			return nil, fmt.Errorf("unexpected output of git cat-file: %q", head)
		}
		size, err := strconv.Atoi(f[2])
		if err != nil || size < 0 || size >= len(rest) {
			return nil, errors.New("git cat-file's output is cut short")
		}
		blobs[id], out = rest[:size], rest[size+1:]
	}
	return blobs, nil
}

// largest is how many bytes of a commit's files are held in memory.
const largest = 64 << 20

// all reads every file of the commit.
func (c *commit) all(ctx context.Context, t *Tree) (map[string]string, error) {
	total := int64(0)
	ids := make([]string, len(t.Entries))
	for i, e := range t.Entries {
		ids[i], total = e.ID, total+max(0, c.sizes[i])
	}
	if total > largest {
		return nil, errors.New("the commit's files are too large")
	}
	return c.blobs(ctx, ids)
}

// read reads a file while the snapshot is taken.
func (t *Tree) read(name string) ([]byte, error) {
	if t.commit == nil {
		return os.ReadFile(filepath.Join(t.Root, name))
	}
	text, ok := t.commit.known[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func (t *Tree) readlink(name string) (string, error) {
	if t.commit == nil {
		return os.Readlink(t.Root + "/" + name)
	}
	return t.commit.known[name], nil
}

// Texts reads files of the tree, by their paths relative to Root, which may lead
// through symlinks. It is an error if one is not there.
func (t *Tree) Texts(ctx context.Context, names []string) (map[string]string, error) {
	if t.commit != nil {
		texts := make(map[string]string, len(names))
		real := make([]string, len(names))
		for i, name := range names {
			real[i] = t.Real(name)
		}
		read, err := t.commit.texts(ctx, t, real)
		for i, name := range names {
			texts[name] = read[real[i]]
		}
		return texts, err
	}
	texts := make(map[string]string, len(names))
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(t.Root, name))
		if err != nil {
			return nil, err
		}
		texts[name] = string(text)
	}
	return texts, nil
}

// Real is the path of a file of the tree without symlinks on the way; the name
// itself if there is no such file.
func (t *Tree) Real(name string) string {
	if t.commit != nil {
		return t.realIn(name)
	}
	if _, tracked := t.Find(name); tracked {
		if info, err := os.Lstat(filepath.Join(t.Root, name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	file, err := filepath.EvalSymlinks(filepath.Join(t.Root, name))
	if err != nil {
		return name
	}
	if rest, ok := strings.CutPrefix(file, t.Root+"/"); ok {
		return rest
	}
	return name
}

// maxLinks is how many symlinks are followed, as by Linux (path_resolution(7)).
const maxLinks = 40

// realIn is Real in a commit.
func (t *Tree) realIn(name string) string {
	at := name
	for range maxLinks {
		if e, ok := t.Find(at); ok && e.Mode != ModeSymlink {
			return at
		}
		i := slices.IndexFunc(t.Links, func(l Link) bool {
			return l.Target != "" && (at == l.Path || strings.HasPrefix(at, l.Path+"/"))
		})
		if i < 0 {
			break
		}
		at = t.Links[i].Target + at[len(t.Links[i].Path):]
	}
	return name
}
