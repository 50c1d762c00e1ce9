package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// idPattern keeps the longest derived name, a container's, within the 64 bytes
// of a host name (hostname(7)).
var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$`)

// layout knows every name and path of one lab.
type layout struct {
	id string
	// cache holds all labs and the images they share.
	cache string
	// parent is the directory of cache if that is Flotilla's own as well.
	parent string
	// mark tells apart what labs and images of different caches are called
	// where the whole machine sees it. It is not part of any id.
	mark string
}

func newLayout(cfg Config) (layout, error) {
	id := cfg.Name
	if id == "" {
		if cfg.Repo == "" {
			return layout{}, &Error{Op: "name", Err: errors.New("neither a name nor a repository is given"),
				Fix: "set Config.Name or Config.Repo"}
		}
		repo, err := filepath.Abs(cfg.Repo)
		if err != nil {
			return layout{}, fail("name", "", err)
		}
		sum := sha256.Sum256([]byte(repo))
		id = hex.EncodeToString(sum[:5])
	}
	if !idPattern.MatchString(id) {
		return layout{}, &Error{Op: "name", Err: errors.New("not usable as a lab's name: " + id),
			Fix: "use up to 30 lower-case letters, digits and hyphens, no hyphen first or last"}
	}
	l := layout{id: id}
	var err error
	l.cache, l.parent, err = cacheDir(os.Getenv)
	l.mark = cacheMark(l.cache)
	return l, err
}

// rootCache is where root's labs usually are; they bear no mark.
const rootCache = "/root/.cache/flotilla/lab"

func cacheMark(cache string) string {
	if cache == rootCache {
		return ""
	}
	sum := sha256.Sum256([]byte(cache))
	return "." + hex.EncodeToString(sum[:4])
}

// cacheDir follows the XDG base directory specification. It returns absolute
// paths.
func cacheDir(getenv func(string) string) (dir, parent string, err error) {
	dir = getenv("FLOTILLA_LAB_DIR")
	if dir == "" {
		base := getenv("XDG_CACHE_HOME")
		if !filepath.IsAbs(base) {
			home := getenv("HOME")
			if home == "" {
				home = "/root"
			}
			base = filepath.Join(home, ".cache")
		}
		parent = filepath.Join(base, "flotilla")
		dir = filepath.Join(parent, "lab")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", fail("find directory", "", err)
	}
	// These separate the options of mount(8) and systemd-nspawn(1).
	if strings.ContainsAny(dir, ":,\\\"'\n") {
		return "", "", &Error{Op: "find directory", Err: errors.New("unusable characters in " + dir),
			Fix: "set FLOTILLA_LAB_DIR to a directory without : , \\ and quotes in its name"}
	}
	return dir, parent, nil
}

func (l layout) labs() string   { return filepath.Join(l.cache, "labs") }
func (l layout) images() string { return filepath.Join(l.cache, "images") }
func (l layout) dir() string    { return filepath.Join(l.labs(), l.id) }
func (l layout) lock() string   { return filepath.Join(l.dir(), "lock") }
func (l layout) state() string  { return filepath.Join(l.dir(), "state.json") }
func (l layout) keys() string   { return filepath.Join(l.dir(), "keys") }
func (l layout) relay() string  { return filepath.Join(l.dir(), "relay") }

// machine returns a path of a machine's directory:
//
//	root         what it sees, an overlay on the image
//	upper, work  that overlay's own files
//	store.ext4   the file system of its Nix store, mounted on store
//	console.log  what it printed
func (l layout) machine(name string, elem ...string) string {
	return filepath.Join(append([]string{l.dir(), "machines", name}, elem...)...)
}

// name is what a machine's container, control group and network namespace are
// called.
func (l layout) name(machine string) string { return "flotilla-" + l.id + l.mark + "-" + machine }

// imageGroup is what the control group and container of an image's build are
// called.
func (l layout) imageGroup(image string) string { return "flotilla-image-" + image + l.mark }

func (l layout) relayGroup(machine string) string { return l.name(machine) + "-relay" }

// network is the network namespace of the bridge.
func (l layout) network() string { return l.name("switch") }

func netnsPath(name string) string { return filepath.Join("/run/netns", name) }
