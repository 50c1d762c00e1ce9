package sshpool

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NixSSHOptsFor returns the value of NIX_SSHOPTS with which one nix rides several
// connections, each under a name of the caller's choice that stands for the host in a
// store's URL ("ssh-ng://NAME"): letters, digits and "._-". Another host cannot be reached
// with it, and one whose master is dead fails at once, as with Conn.NixSSHOpts. What it
// needs is in the socket directory, and serves every later call with the same names and
// connections. Errors are *Error of KindConfig.
func (p *Pool) NixSSHOptsFor(named map[string]*Conn) (string, error) {
	fail := func(err error, hint string) (string, error) {
		return "", &Error{Kind: KindConfig, ExitCode: -1, NotStarted: true, Err: err, Hint: hint}
	}
	sum := sha256.New()
	names := slices.Sorted(maps.Keys(named))
	for _, name := range names {
		if !isWord(name, "._-") || name[0] == '.' || name[0] == '-' {
			return fail(fmt.Errorf("%q cannot stand for a host", name), "use letters, digits, '.', '_' and '-'")
		}
		fmt.Fprintf(sum, "%s\x00%s\x00", name, named[name].host.sock)
	}
	dir := filepath.Join(p.config.Dir, "to-"+strings.ToLower(base32.StdEncoding.EncodeToString(sum.Sum(nil)))[:6])
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(err, "check that the socket directory is writable and its disk not full")
	}
	for _, name := range names {
		link, sock := filepath.Join(dir, name), named[name].host.sock
		if len(link) > maxSocketPath+17 {
			return fail(fmt.Errorf("%s is too long for a socket's name", link), "choose a shorter socket directory (XDG_RUNTIME_DIR) or name")
		}
		if there, err := os.Readlink(link); err == nil && there == sock {
			continue
		}
		if err := os.Symlink(sock, link); err != nil && !errors.Is(err, fs.ErrExist) {
			return fail(err, "check that the socket directory is writable and its disk not full")
		}
	}
	return nixOpts(p.config, dir+"/%n"), nil
}

// Gone reports whether the connection has been lost since Connect returned it: what Nix
// did over it then has been cut off, also if Run has made another connection by now.
func (c *Conn) Gone(ctx context.Context) bool {
	pid, err := muxPID(ctx, c.host.sock)
	return err != nil || pid != c.pid
}
