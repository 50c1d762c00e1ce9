package worktree

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// stat is what the file system says of a path without opening it.
type stat struct {
	mode               uint32
	ino                uint64
	size, mtime, ctime int64 // bytes; nanoseconds
	missing            bool
}

func lstat(path string) (stat, error) { return lstatAt(unix.AT_FDCWD, path) }

// lstatAt is lstat of a path relative to an open directory.
func lstatAt(dir int, path string) (stat, error) {
	var s unix.Stat_t
	for {
		err := unix.Fstatat(dir, path, &s, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return stat{missing: true}, nil
		case err != nil:
			return stat{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
		return stat{mode: uint32(s.Mode), ino: s.Ino, size: s.Size, mtime: s.Mtim.Nano(), ctime: s.Ctim.Nano()}, nil
	}
}

// gitMode is the mode that Git would give a path, "" for what it cannot track.
func (s stat) gitMode() string {
	switch s.mode & unix.S_IFMT {
	case unix.S_IFREG:
		if s.mode&0o100 != 0 {
			return ModeExecutable
		}
		return ModeFile
	case unix.S_IFLNK:
		return ModeSymlink
	case unix.S_IFDIR:
		return ModeDirectory
	}
	return ""
}

// atOnce calls f with 0 to n-1, on all cores, and returns the first error of
// each.
func atOnce(n int, f func(int) error) error {
	const share = 64 // what a core takes at a time: others may keep it busy
	workers := min(runtime.GOMAXPROCS(0), n/share+1)
	errs := make([]error, workers)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for {
				end := int(taken.Add(share))
				for i := end - share; i < min(end, n); i++ {
					if errs[w] = f(i); errs[w] != nil {
						return
					}
				}
				if end >= n {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// openDir opens a directory for paths to be relative to: thousands of them are
// then looked up from there.
func openDir(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY, 0)
}

// lstatAll is lstat of every entry. A path below a symlink, which Git does not
// see, is an error.
func lstatAll(root string, entries []Entry) ([]stat, error) {
	stats := make([]stat, len(entries))
	dir, err := openDir(root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	at := int(dir.Fd())
	if err := atOnce(len(entries), func(i int) (err error) {
		stats[i], err = lstatAt(at, entries[i].Path)
		return err
	}); err != nil {
		return nil, err
	}
	seen := map[string]bool{"": true}
	for _, e := range entries {
		for dir := e.Path; ; {
			i := strings.LastIndexByte(dir, '/')
			if i < 0 {
				break
			}
			if dir = dir[:i]; seen[dir] {
				break
			}
			seen[dir] = true
			if s, err := lstat(root + "/" + dir); err != nil {
				return nil, err
			} else if s.gitMode() == ModeSymlink {
				return nil, off("%s is a symlink now, with tracked files below it", dir)
			}
		}
	}
	return stats, nil
}

// blobHash is Git's hash of contents as a blob, in a repository whose hashes
// have that many hexadecimal digits.
func blobHash(digits int, size int64) hash.Hash {
	h := newHash(digits)
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}

func newHash(digits int) hash.Hash {
	if digits == 2*sha256.Size {
		return sha256.New()
	}
	return sha1.New()
}

// hasher is HashFile for many files that were just looked at, with one buffer for
// all of them.
type hasher struct {
	buf    []byte
	digits int
	hash   hash.Hash
}

func newHasher() any { return &hasher{buf: make([]byte, 64<<10)} }

// file hashes a file or a symlink below root, which at is open for, in as few
// system calls as there can be.
func (g *hasher) file(root string, at int, path string, s stat, digits int) (string, error) {
	if s.gitMode() == ModeSymlink {
		return HashFile(root+"/"+path, digits)
	}
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return HashFile(root+"/"+path, digits) // interrupted, or no longer what it was
	}
	defer unix.Close(fd)
	if g.digits != digits {
		g.digits, g.hash = digits, newHash(digits)
	}
	g.hash.Reset()
	head := append(strconv.AppendInt(append(g.buf[:0], "blob "...), s.size, 10), 0)
	g.hash.Write(head)
	for left := s.size; ; {
		n, err := unix.Read(fd, g.buf)
		if n > 0 {
			g.hash.Write(g.buf[:n])
			left -= int64(n)
		}
		switch {
		case err == unix.EINTR:
		case err != nil || left < 0 || n == 0 && left > 0:
			return HashFile(root+"/"+path, digits) // it changed after it was looked at
		case left == 0 && n < len(g.buf): // a short read is the last
			return hex.EncodeToString(g.hash.Sum(g.buf[:0])), nil
		}
	}
}

// HashFile is Git's hash of a file's contents, or of a symlink's target, as a
// blob; digits is 40 or 64, as the repository's hashes.
func HashFile(path string, digits int) (string, error) {
	if target, err := os.Readlink(path); err == nil {
		h := blobHash(digits, int64(len(target)))
		io.WriteString(h, target)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "hash", Path: path, Err: errors.New("not a regular file")}
	}
	h := blobHash(digits, info.Size())
	n, err := io.Copy(h, f)
	if err == nil && n != info.Size() {
		err = &fs.PathError{Op: "hash", Path: path, Err: errors.New("it changes while it is read")}
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// statCache keeps hashes of files by what the file system says of them, as
// Git's index does. Its file may be deleted, cut short or replaced at any time.
type statCache struct {
	file    string
	changed bool
	loading sync.WaitGroup

	entries map[string]cached // once loaded
}

type cached struct {
	stat
	id string
}

// racy is how long before it was hashed a file must have been left alone for its
// times to tell of the next change: file systems' clocks are coarse.
const racy = 2 * time.Second

const cacheMagic = "flotilla stat 1"

// openCache begins to read a cache; "" is none.
func openCache(file string) *statCache {
	c := &statCache{file: file}
	c.loading.Go(c.load)
	return c
}

func (c *statCache) wait() { c.loading.Wait() }

func (c *statCache) load() {
	if c.file == "" {
		return
	}
	data, err := os.ReadFile(c.file)
	if err != nil {
		return
	}
	text, ok := strings.CutPrefix(string(data), cacheMagic+"\x00")
	if !ok {
		return
	}
	c.entries = make(map[string]cached, strings.Count(text, "\x00"))
	for text != "" {
		record, rest, ok := strings.Cut(text, "\x00")
		text = rest
		head, path, ok2 := strings.Cut(record, "\t")
		f := strings.Fields(head)
		if !ok || !ok2 || len(f) != 6 {
			break // what was written last is missing
		}
		var e cached
		mode, err1 := strconv.ParseUint(f[0], 8, 32)
		ino, err2 := strconv.ParseUint(f[1], 10, 64)
		size, err3 := strconv.ParseInt(f[2], 10, 64)
		mtime, err4 := strconv.ParseInt(f[3], 10, 64)
		ctime, err5 := strconv.ParseInt(f[4], 10, 64)
		if errors.Join(err1, err2, err3, err4, err5) != nil {
			break
		}
		e.stat = stat{mode: uint32(mode), ino: ino, size: size, mtime: mtime, ctime: ctime}
		e.id = f[5]
		c.entries[path] = e
	}
}

// hashAll is the hash of each entry's contents in the work tree. Entries that
// are missing get none.
func (c *statCache) hashAll(root string, entries []Entry, stats []stat, digits int) ([]string, error) {
	c.wait()
	ids := make([]string, len(entries))
	now := time.Now()
	dir, err := openDir(root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	at := int(dir.Fd())
	hashers := sync.Pool{New: newHasher}
	err = atOnce(len(entries), func(i int) (err error) {
		mode := stats[i].gitMode()
		if mode != ModeFile && mode != ModeExecutable && mode != ModeSymlink {
			return nil
		}
		if e, ok := c.entries[entries[i].Path]; ok && e.stat == stats[i] && len(e.id) == digits {
			ids[i] = e.id
			return nil
		}
		g := hashers.Get().(*hasher)
		defer hashers.Put(g)
		ids[i], err = g.file(root, at, entries[i].Path, stats[i], digits)
		return err
	})
	if err != nil {
		return nil, err
	}
	limit := now.Add(-racy).UnixNano()
	keep := func(i int) bool { return ids[i] != "" && stats[i].mtime < limit && stats[i].ctime < limit }
	n := 0
	for i, e := range entries {
		old, had := c.entries[e.Path]
		if keep(i) {
			n++
			c.changed = c.changed || !had || old != cached{stats[i], ids[i]}
		} else {
			c.changed = c.changed || had
		}
	}
	if c.changed = c.changed || n != len(c.entries); !c.changed {
		return ids, nil
	}
	c.entries = make(map[string]cached, n)
	for i, e := range entries {
		if keep(i) {
			c.entries[e.Path] = cached{stats[i], ids[i]}
		}
	}
	return ids, nil
}

// save writes the cache, in one step; that it cannot be is no loss but time.
func (c *statCache) save() {
	if c.file == "" || !c.changed {
		return
	}
	b := make([]byte, 0, 160*len(c.entries))
	b = append(b, cacheMagic+"\x00"...)
	for path, e := range c.entries {
		b = strconv.AppendUint(b, uint64(e.mode), 8)
		for _, n := range [...]int64{int64(e.ino), e.size, e.mtime, e.ctime} {
			b = strconv.AppendInt(append(b, ' '), n, 10)
		}
		b = append(append(append(append(append(b, ' '), e.id...), '\t'), path...), 0)
	}
	replace(c.file, b)
}

// replace writes a file, in one step. That it cannot be is no loss but time.
func replace(file string, b []byte) {
	if os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".tmp-*")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}
