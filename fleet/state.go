package fleet

import (
	"path/filepath"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// State is a state of a flake other than that of its directory: a commit, for
// one.
type State struct {
	// Flake is the flake as Nix finds it, such as nixcmd.Commit.FlakeRef.
	Flake string
	// Commit is the full name of the commit in the repository of the flake's directory
	// that Flake is of, such as nixcmd.Commit.ID. "" means that it is not known; then
	// nothing is remembered of this state, and every host is evaluated.
	Commit string
	// Inventory is the text of its fleet.toml; nil if it has none.
	Inventory []byte
}

// FindDir returns the directory whose fleet.toml and flake Load and Open take:
// dir or the nearest above it. Errors are *ConfigError.
func FindDir(dir string) (string, error) {
	path, err := find(dir)
	return filepath.Dir(path), err
}

// inventory reads what Open opens.
func (c Config) inventory() (*Inventory, error) {
	if c.State == nil {
		return Load(or(c.Dir, "."))
	}
	path, err := find(or(c.Dir, "."))
	if err != nil {
		return nil, err
	}
	return parse(path, c.State.Inventory)
}

// attr names an attribute of the fleet's flake.
func (f *Fleet) attr(path ...string) (nixcmd.Installable, error) {
	return nixcmd.FlakeAttr(or(f.flake, "."), path...)
}

// installable is the host's toplevel in a flake, as Nix names it.
func installable(flake string, h Host) (nixcmd.Installable, error) {
	return nixcmd.FlakeAttr(or(flake, "."), "nixosConfigurations", h.Attr, "config", "system", "build", "toplevel")
}
