package sshpool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// pathPunctuation is what file names may hold besides letters and digits. They
// then need no quoting in NIX_SSHOPTS, and hold none of the "%", "~" and "${"
// that ssh_config(5) expands in ControlPath.
const pathPunctuation = "._/+,:=@-"

// ssh binds the socket to a temporary name first, the final one plus a dot and
// 16 characters (OpenSSH mux.c, muxserver_listen), and sun_path holds 108 bytes
// with the closing NUL on Linux (unix(7)), 104 elsewhere.
const (
	maxSocketPath = 104 - 1 - 17
	socketNameLen = 16
)

// defaultDir is below XDG_RUNTIME_DIR where that can hold sockets of ours: after
// sudo it may still be another user's.
func defaultDir() string {
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		dir := filepath.Join(run, "flotilla", "ssh")
		info, err := os.Stat(run)
		if err == nil && owner(info) == uint32(os.Geteuid()) && isWord(dir, pathPunctuation) && len(dir)+1+socketNameLen <= maxSocketPath {
			return dir
		}
	}
	return filepath.Join("/tmp", "flotilla-"+strconv.Itoa(os.Geteuid()), "ssh")
}

// prepareDir makes the socket directory if it is missing and verifies that
// nobody else can put sockets there. It returns the path without symbolic links,
// so that none is followed later.
func prepareDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Lstat(dir); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	if dir, err = resolve(dir); err != nil {
		return "", err
	}
	if !isWord(dir, pathPunctuation) {
		return "", fmt.Errorf("socket directory %q: only letters, digits and %q are allowed", dir, pathPunctuation)
	}
	if n := len(dir) + 1 + socketNameLen; n > maxSocketPath {
		return "", fmt.Errorf("socket directory %q is %d bytes too long", dir, n-maxSocketPath)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, verifyDir(dir)
}

// resolve replaces the symbolic links in a path, of which the end may be missing.
// In a shared directory anybody can put one in the place of what is not there yet:
// only this user's and root's are followed.
func resolve(dir string) (string, error) {
	var missing []string
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, filepath.Base(at))
			continue
		}
		for up := at; up != "/"; up = filepath.Dir(up) {
			info, err := os.Lstat(up)
			if err != nil {
				return "", err
			}
			if o := owner(info); info.Mode()&os.ModeSymlink != 0 && o != uint32(os.Geteuid()) && o != 0 {
				return "", fmt.Errorf("%s is a symbolic link of user %d", up, o)
			}
		}
		real, err := filepath.EvalSymlinks(at)
		slices.Reverse(missing)
		return filepath.Join(append([]string{real}, missing...)...), err
	}
}

// verifyDir checks that dir is a private directory of this user, and that no
// other user could replace it by way of a directory above it.
func verifyDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	me := uint32(os.Geteuid())
	if owner(info) != me {
		return fmt.Errorf("%s belongs to user %d", dir, owner(info))
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %#o)", dir, info.Mode().Perm())
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	// Inside a user namespace root's files belong to the overflow user; the
	// owner of the root directory is as powerful as root in either case.
	root, err := os.Stat("/")
	if err != nil {
		return err
	}
	for real != "/" {
		real = filepath.Dir(real)
		info, err := os.Stat(real)
		if err != nil {
			return err
		}
		if o := owner(info); o != me && o != 0 && o != owner(root) {
			return fmt.Errorf("%s, above the socket directory, belongs to user %d", real, o)
		}
		if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
			return fmt.Errorf("%s, above the socket directory, is writable by others", real)
		}
	}
	return nil
}

func owner(info os.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return ^uint32(0)
}
