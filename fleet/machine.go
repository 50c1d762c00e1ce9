package fleet

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
)

// NixHere is the Nix, the store and the flake that a Fleet works with.
type NixHere struct {
	// Version is Nix's, such as "2.26.3".
	Version string
	// Store is "local" if Nix builds by itself, "daemon" if a Nix daemon does it,
	// or another store URL.
	Store string
	// Revision is the flake's commit, empty if it has none. Dirty says that its
	// tree differs from it.
	Revision string
	Dirty    bool
}

// NixHere asks Nix what it is. Errors are those of nixcmd.Client's Version,
// StoreInfo and Revision.
func (f *Fleet) NixHere(ctx context.Context) (NixHere, error) {
	v, err := f.nix.Version(ctx)
	if err != nil {
		return NixHere{}, err
	}
	store, err := f.nix.StoreInfo(ctx)
	if err != nil {
		return NixHere{}, err
	}
	here := NixHere{Version: v.String(), Store: store.URL}
	here.Revision, here.Dirty, err = f.nix.Revision(ctx)
	return here, err
}

// LimitsInForce are the inventory's Limits with the defaults that stand in for
// those that are 0. Memory remains
// 0 if it is what is available.
func (f *Fleet) LimitsInForce() Limits {
	l := f.Inventory.Limits
	return Limits{
		Evaluations: or(l.Evaluations, runtime.NumCPU()),
		Memory:      l.Memory,
		Builds:      or(l.Builds, runtime.NumCPU()),
		Copies:      or(l.Copies, 4), Activations: or(l.Activations, 16), Sessions: or(l.Sessions, 64),
	}
}

// AvailableMemory is how many bytes of memory new processes can have without
// swapping, as Linux estimates it (proc(5), MemAvailable); 0 if that is unknown.
func (f *Fleet) AvailableMemory() int64 { return availableMemory("/") }

// StateDir is a directory of that name for this fleet's state, which only the
// user can read. It is made if it is not there.
func (f *Fleet) StateDir(name string) (string, error) {
	dir := filepath.Join(f.stateDir, name, f.Inventory.id())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", f.unkept("state", err)
	}
	return dir, nil
}
