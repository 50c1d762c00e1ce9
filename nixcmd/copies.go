package nixcmd

import (
	"os"
	"path/filepath"
	"strings"
)

// withoutCopies makes a cache directory for one evaluation in which Nix finds all that it has
// cached but what it has fetched, and copied to the store: knowing that, it does not open again what it
// has copied of a tree before (seen with 2.34, and not with 2.26). Inputs that are locked and in the
// store it does not fetch again.
func (c *Client) withoutCopies() (setting string, remove func(), err error) {
	known := c.getenv("NIX_CACHE_HOME")
	switch base := c.getenv("XDG_CACHE_HOME"); {
	case known != "":
	case base != "":
		known = filepath.Join(base, "nix")
	default:
		home, err := os.UserHomeDir()
		if err != nil {
			return "", nil, err
		}
		known = filepath.Join(home, ".cache", "nix")
	}
	dir, err := os.MkdirTemp("", "flotilla-nix-cache-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	entries, _ := os.ReadDir(known)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "fetcher-cache-") {
			continue
		}
		if err := os.Symlink(filepath.Join(known, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			remove()
			return "", nil, err
		}
	}
	return "NIX_CACHE_HOME=" + dir, remove, nil
}
