package nixcmd

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// watch has an evaluator watched for what it opens, if that is wanted. done is to be called when it has
// ended; its environment needs the setting, "" for none.
func (c *Client) watch(v Version, cmd *proc.Cmd, wanted bool) (setting string, done func()) {
	if cmd.WatchOpens = wanted; !wanted {
		return "", func() {}
	}
	setting, remove, err := c.withoutCopies(v)
	if err != nil {
		cmd.WatchOpens = false
		return "", func() {}
	}
	return setting, remove
}

// withoutCopies makes a cache directory for one evaluation in which Nix finds all that it has
// cached but what it has fetched, and copied to the store: knowing that, it does not open again what it
// has copied of a tree before, nor the tree itself. Inputs that are locked and in the
// store it does not fetch again. Until 2.26 the directory is that of all programs.
func (c *Client) withoutCopies(v Version) (setting string, remove func(), err error) {
	all := c.getenv("XDG_CACHE_HOME")
	if all == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", nil, err
		}
		all = filepath.Join(home, ".cache")
	}
	base, err := os.MkdirTemp("", "flotilla-nix-cache-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(base) }
	known, dir, setting := c.getenv("NIX_CACHE_HOME"), base, "NIX_CACHE_HOME="+base
	if v.AtLeast(2, 27) {
		if known == "" {
			known = filepath.Join(all, "nix")
		}
	} else {
		known, dir, setting = filepath.Join(all, "nix"), filepath.Join(base, "nix"), "XDG_CACHE_HOME="+base
		if err = os.Mkdir(dir, 0o700); err == nil {
			err = link(all, base, func(name string) bool { return name != "nix" })
		}
	}
	if err == nil {
		err = link(known, dir, func(name string) bool { return !strings.HasPrefix(name, "fetcher-cache-") })
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return setting, remove, nil
}

// link makes links in a directory to what is in another, which need not be there.
func link(from, to string, wanted func(name string) bool) error {
	entries, _ := os.ReadDir(from)
	for _, e := range entries {
		if wanted(e.Name()) {
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
