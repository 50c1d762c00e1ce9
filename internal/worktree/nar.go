package worktree

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"os"
	"slices"
	"strings"
)

// Marks are texts by which what came of an evaluation shows that it depends on the
// tree as a whole: on its contents, by its place in the store or its hash, as Nix
// writes them (Nix manual, "Nix Archive (NAR)"), and on its revision, by the seven digits
// that it begins with. contents is nil for trees of which it is not certain what Nix
// copies, and for commits of more than 64 MiB; revision is "" if there is none.
func (t *Tree) Marks(ctx context.Context) (contents []string, revision string) {
	if sum, err := t.narHash(ctx); err == nil {
		place := strings.TrimPrefix(sourcePath(sum), "/nix/store/")
		contents = []string{place[:strings.IndexByte(place, '-')], "sha256-" + base64.RawStdEncoding.EncodeToString(sum)}
	}
	if t.Git && len(t.Head) > shortRev {
		revision = t.Head[:shortRev]
	}
	return contents, revision
}

// shortRev is how long a flake's shortRev is; rev, dirtyRev and dirtyShortRev begin
// with it (Nix, src/libflake/flake/flake.cc, src/libfetchers/git-utils.cc).
const shortRev = 7

func (t *Tree) narHash(ctx context.Context) ([]byte, error) {
	if t.Uncertain || t.Root == "" {
		return nil, errors.New("it is not certain what Nix copies")
	}
	a := archive{ctx: ctx, root: t.Root, hash: sha256.New()}
	if t.commit != nil {
		var err error
		if a.blobs, err = t.commit.all(ctx, t); err != nil {
			return nil, err
		}
	}
	a.text("nix-archive-1")
	if err := a.directory("", t.Entries); err != nil {
		return nil, err
	}
	return a.hash.Sum(nil), nil
}

// archive writes a Nix archive into a hash.
type archive struct {
	ctx  context.Context
	root string
	hash hash.Hash
	// blobs are the contents of a commit's files, by their names in Git; nil for a
	// work tree.
	blobs map[string]string
}

func (a *archive) text(parts ...string) {
	var size [8]byte
	for _, s := range parts {
		binary.LittleEndian.PutUint64(size[:], uint64(len(s)))
		a.hash.Write(size[:])
		io.WriteString(a.hash, s)
		a.pad(int64(len(s)))
	}
}

func (a *archive) pad(n int64) { a.hash.Write(make([]byte, (8-n%8)%8)) }

// directory writes the entries below a directory, which all begin with prefix.
func (a *archive) directory(prefix string, entries []Entry) error {
	type child struct {
		name string
		all  []Entry
	}
	// Sorted by name, which paths are not: "a.b" comes before "a/b".
	var children []child
	at := map[string]int{}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Path[len(prefix):], "/")
		i, ok := at[name]
		if !ok {
			i = len(children)
			at[name] = i
			children = append(children, child{name: name})
		}
		if e.Path[len(prefix):] != name || e.Mode != ModeDirectory {
			children[i].all = append(children[i].all, e)
		}
	}
	slices.SortFunc(children, func(x, y child) int { return strings.Compare(x.name, y.name) })
	a.text("(", "type", "directory")
	for _, c := range children {
		a.text("entry", "(", "name", c.name, "node")
		var err error
		if len(c.all) == 1 && c.all[0].Path == prefix+c.name {
			err = a.file(c.all[0])
		} else {
			err = a.directory(prefix+c.name+"/", c.all)
		}
		if err != nil {
			return err
		}
		a.text(")")
	}
	a.text(")")
	return nil
}

func (a *archive) file(e Entry) error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	name := a.root + "/" + e.Path
	switch e.Mode {
	case ModeSymlink:
		target := a.blobs[e.ID]
		if a.blobs == nil {
			var err error
			if target, err = os.Readlink(name); err != nil {
				return err
			}
		}
		a.text("(", "type", "symlink", "target", target, ")")
		return nil
	case ModeFile, ModeExecutable:
	default:
		return errors.New("it is not certain what Nix copies of " + e.Path)
	}
	var contents io.Reader
	var length int64
	if a.blobs != nil {
		contents, length = strings.NewReader(a.blobs[e.ID]), int64(len(a.blobs[e.ID]))
	} else {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		contents, length = f, info.Size()
	}
	a.text("(", "type", "regular")
	if e.Mode == ModeExecutable {
		a.text("executable", "")
	}
	a.text("contents")
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(length))
	a.hash.Write(size[:])
	n, err := io.Copy(a.hash, contents)
	if err == nil && n != length {
		err = errors.New(e.Path + " changes while it is read")
	}
	a.pad(n)
	a.text(")")
	return err
}
