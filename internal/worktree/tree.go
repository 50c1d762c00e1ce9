// Package worktree takes snapshots of what Nix sees of a flake in a directory:
// the files that Git tracks with their contents, the revision, and whether the
// work tree is clean; outside of Git, all files.
//
// It errs on one side only. Two trees with the same fingerprint are the same to
// Nix; two that differ may be.
package worktree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The modes of entries, as Git writes them. A directory is an entry only
// outside of Git, where empty ones are seen.
const (
	ModeFile       = "100644"
	ModeExecutable = "100755"
	ModeSymlink    = "120000"
	ModeSubmodule  = "160000"
	ModeDirectory  = "040000"
	// Of a tracked file that is gone, where it is not certain whether Nix reads the index.
	modeMissing = "000000"
)

// Entry is one file, symlink, submodule or directory of a tree.
type Entry struct {
	// Path is relative to the tree's root, with slashes.
	Path string
	// Mode is one of the constants above.
	Mode string
	// ID tells contents apart: Git's hash of the contents as a blob, of a
	// symlink's target, of a submodule's commit and contents. Two hashes with a
	// colon between them are those of the index and of the work tree, where it is
	// not certain which of the two Nix reads; a mode after them is the index's.
	ID string
}

// Outside is a directory that the flake's lock file names by its path, and that
// is not part of the tree.
type Outside struct {
	// Path is absolute; ID is a fingerprint of all that is below it.
	Path, ID string
}

// Link is a symlink of a tree.
type Link struct {
	// Path is where it is, Target what it leads to in the tree, both relative to
	// the root; "" for the root itself, or where that is not clear.
	Path, Target string
}

// Tree is a snapshot. It is not changed once it is made, and may be used
// concurrently.
type Tree struct {
	// Root is the absolute directory that paths are relative to, for a commit the
	// root of the work tree; it is no part of the fingerprint. Trees that were decoded
	// have none.
	Root string
	// Dir is the flake's directory below Root, "" for Root itself.
	Dir string
	// Git says that Nix sees the tree as Git does; else as the file system does.
	Git bool
	// Head stands for everything that Nix says of the revision: the commit, and
	// whether history is cut short. Outside of Git it is the latest change, in
	// nanoseconds. "" if there is no commit yet.
	Head string
	// Dirty says that Git sees changes that are not committed.
	Dirty bool
	// Uncertain says that Nix may not agree with Git on Dirty, as when files go
	// through filters.
	Uncertain bool
	// Subflakes are directories of the tree that are inputs of the flake, sorted;
	// relative to Root.
	Subflakes []string
	// Entries are sorted by path.
	Entries []Entry
	// Outside are sorted by path.
	Outside []Outside
	// Inputs are the store paths of the sources that the lock file names; trees
	// that were decoded have none.
	Inputs []string
	// OverSSH are those of Inputs that are fetched over ssh; trees that were decoded have none.
	OverSSH []string
	// Links are the symlinks among Entries; trees that were decoded have none.
	Links []Link

	fingerprint, shape string
	gitDir, commonDir  string
	// Doubt says why what Nix gives for the tree is not to be relied on, "" if it is.
	Doubt string
	// autoText says that lines that end in carriage returns may be converted.
	autoText bool
	// edited are files that Git sees to differ from the index.
	edited map[string]bool
	// gone are tracked files that are not in the work tree: they may come back.
	gone []string
	// commit is nil for a tree whose files are those below Root.
	commit *commit
}

// OffError says why no snapshot can stand for what Nix sees.
type OffError struct {
	// Reason completes "changes cannot be detected: ".
	Reason string
	// Err is the cause, nil if there is none.
	Err error
}

// Error gives the reason and the cause.
func (e *OffError) Error() string {
	if e.Err != nil {
		return e.Reason + ": " + e.Err.Error()
	}
	return e.Reason
}

// Unwrap returns Err.
func (e *OffError) Unwrap() error { return e.Err }

func off(format string, args ...any) error { return &OffError{Reason: fmt.Sprintf(format, args...)} }

// FlakePath is the path of a file in the flake's directory, relative to Root.
func (t *Tree) FlakePath(name string) string { return join(t.Dir, name) }

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// Fingerprint is the same for trees that are the same to Nix.
func (t *Tree) Fingerprint() string { return t.fingerprint }

// Shape is the same for trees that may differ in the contents of files and in
// the revision, but not in which paths there are and of which kind, nor in the
// targets of symlinks, in any flake.nix or flake.lock, or outside of the tree.
func (t *Tree) Shape() string { return t.shape }

// fixed reports whether the contents of an entry are part of the Shape.
func fixed(e Entry) bool {
	base := e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	return e.Mode == ModeSymlink || base == "flake.nix" || base == "flake.lock"
}

// seal computes what is asked for often.
func (t *Tree) seal() *Tree {
	t.fingerprint = sum(t.Encode())
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\x00%v\x00", t.Dir, t.Git)
	for _, s := range t.Subflakes {
		fmt.Fprintf(&b, "s%s\x00", s)
	}
	for _, o := range t.Outside {
		fmt.Fprintf(&b, "o%s\x00%s\x00", o.Path, o.ID)
	}
	for _, e := range t.Entries {
		b.WriteString(e.Mode)
		if fixed(e) {
			b.WriteString(e.ID)
		}
		b.WriteByte('\t')
		b.WriteString(e.Path)
		b.WriteByte(0)
	}
	t.shape = sum(b.Bytes())
	return t
}

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:16]) }

const magic = "flotilla tree 1"

// Encode is the tree as bytes, which Decode reads.
func (t *Tree) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\x00%s\x00%v\x00%v\x00%v\x00%s\x00%d\x00%d\x00", magic, t.Dir, t.Git, t.Dirty, t.Uncertain, t.Head, len(t.Subflakes), len(t.Outside))
	for _, s := range t.Subflakes {
		b.WriteString(s)
		b.WriteByte(0)
	}
	for _, o := range t.Outside {
		fmt.Fprintf(&b, "%s\x00%s\x00", o.Path, o.ID)
	}
	for _, e := range t.Entries {
		b.WriteString(e.Mode)
		b.WriteByte(' ')
		b.WriteString(e.ID)
		b.WriteByte('\t')
		b.WriteString(e.Path)
		b.WriteByte(0)
	}
	return b.Bytes()
}

// Decode reads what Encode wrote. It is an error if that is not all of data, or
// if its fingerprint is not the one given.
func Decode(data []byte, fingerprint string) (*Tree, error) {
	bad := errors.New("not a tree")
	if sum(data) != fingerprint {
		return nil, bad
	}
	text := string(data)
	next := func() string {
		field, rest, ok := strings.Cut(text, "\x00")
		if !ok {
			text = ""
			return ""
		}
		text = rest
		return field
	}
	if next() != magic {
		return nil, bad
	}
	t := &Tree{Dir: next(), Git: next() == "true", Dirty: next() == "true", Uncertain: next() == "true", Head: next()}
	var subflakes, outside int
	if _, err := fmt.Sscan(next()+" "+next(), &subflakes, &outside); err != nil {
		return nil, bad
	}
	for range subflakes {
		if text == "" {
			return nil, bad
		}
		t.Subflakes = append(t.Subflakes, next())
	}
	for range outside {
		if text == "" {
			return nil, bad
		}
		t.Outside = append(t.Outside, Outside{next(), next()})
	}
	t.Entries = make([]Entry, 0, strings.Count(text, "\x00"))
	for text != "" {
		head, path, ok := strings.Cut(next(), "\t")
		mode, id, ok2 := strings.Cut(head, " ")
		if !ok || !ok2 {
			return nil, bad
		}
		t.Entries = append(t.Entries, Entry{Path: path, Mode: mode, ID: id})
	}
	return t.seal(), nil
}

// Change is what became of one path between two trees.
type Change struct {
	// Path is the path.
	Path string
	// Before and After are its entries; the zero value where there is none.
	Before, After Entry
}

// InWorkTree reports whether the work tree's file differs, and not the index's alone.
func (c Change) InWorkTree() bool {
	return c.Before.Mode != c.After.Mode || c.Before.workTreeID() != c.After.workTreeID()
}

// Certain reports whether the contents differ whichever of index and work tree Nix reads, or
// had read before.
func (c Change) Certain() bool {
	for _, id := range c.Before.ids() {
		if slices.Contains(c.After.ids(), id) {
			return false
		}
	}
	return true
}

// ids are those of the index, if that is another, and of the work tree.
func (e Entry) ids() []string {
	index, _, both := strings.Cut(e.ID, ":")
	if !both {
		return []string{e.ID}
	}
	return []string{index, e.workTreeID()}
}

// Split reports whether a file of the work tree is another than the index has, as far as it is
// not certain which of them Nix reads.
func (t *Tree) Split() bool {
	return slices.ContainsFunc(t.Entries, func(e Entry) bool { return e.Mode != ModeSubmodule && strings.Contains(e.ID, ":") })
}

// workTreeID is the part of an ID that is of the work tree.
func (e Entry) workTreeID() string {
	if _, of, both := strings.Cut(e.ID, ":"); both {
		id, _, _ := strings.Cut(of, " ")
		return id
	}
	return e.ID
}

// Changes lists the paths that differ from one tree to another, sorted.
func Changes(from, to *Tree) []Change {
	var list []Change
	a, b := from.Entries, to.Entries
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Path < b[0].Path:
			list = append(list, Change{Path: a[0].Path, Before: a[0]})
			a = a[1:]
		case len(a) == 0 || b[0].Path < a[0].Path:
			list = append(list, Change{Path: b[0].Path, After: b[0]})
			b = b[1:]
		default:
			if a[0] != b[0] {
				list = append(list, Change{Path: a[0].Path, Before: a[0], After: b[0]})
			}
			a, b = a[1:], b[1:]
		}
	}
	return list
}

// Find returns the entry of a path.
func (t *Tree) Find(path string) (Entry, bool) {
	lo, hi := 0, len(t.Entries)
	for lo < hi {
		m := (lo + hi) / 2
		if t.Entries[m].Path < path {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(t.Entries) && t.Entries[lo].Path == path {
		return t.Entries[lo], true
	}
	return Entry{}, false
}

// New returns a tree made of the fields given, as Read would; Entries must be
// sorted.
func New(t Tree) *Tree { return (&t).seal() }
