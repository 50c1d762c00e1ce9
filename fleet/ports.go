package fleet

import (
	"context"
	"encoding/json"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// Nix is what the fleet needs of Nix; *nixcmd.Client is one. Its methods are
// called concurrently.
type Nix interface {
	// Evaluate finds the derivation and the toplevel of one host.
	Evaluate(context.Context, nixcmd.Installable, nixcmd.EvaluateOptions) (nixcmd.Evaluation, error)
	// Build makes derivations' outputs valid, in the local store or in another.
	Build(context.Context, []nixcmd.StorePath, nixcmd.BuildOptions) ([]nixcmd.StorePath, error)
	// Fetch brings closures from another store to the local one.
	Fetch(context.Context, []nixcmd.StorePath, nixcmd.FetchOptions) error
	// Copy brings closures to another store.
	Copy(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error
	// Closure lists a path of the local store and all it refers to.
	Closure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error)
	// BackgroundClosure is Closure for an answer that must slow nothing down.
	BackgroundClosure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error)
	Flake
	Locker
	Installation
	Caches
}

// Caches is what the fleet needs of Nix besides to use binary caches.
type Caches interface {
	// Realise fetches paths that are no derivations to the local store.
	Realise(context.Context, []nixcmd.StorePath, nixcmd.BuildOptions) error
	// Sign signs closures of the local store, or of another, with the key in a file, and
	// returns how many paths had no signature of it.
	Sign(context.Context, []nixcmd.StorePath, nixcmd.SignOptions) (int, error)
}

// Locker is what the fleet needs of Nix to change a flake's lock.
type Locker interface {
	// UpdateInputs writes newer versions of inputs, all without names, to flake.lock.
	UpdateInputs(context.Context, []string) error
	// Uncommitted reports whether a file differs from what is committed.
	Uncommitted(context.Context, string) (bool, error)
}

// Flake is what the fleet needs of Nix to look at a flake as a whole.
type Flake interface {
	// AttrNames lists the names in an attribute set.
	AttrNames(context.Context, nixcmd.Installable) ([]string, error)
	// Value evaluates an attribute to JSON.
	Value(context.Context, nixcmd.Installable) (json.RawMessage, error)
	// CheckFlake evaluates all outputs.
	CheckFlake(context.Context) (nixcmd.FlakeCheck, error)
	// TrackedFiles lists the files that Git tracks, or is nixcmd.ErrNoGit.
	TrackedFiles(context.Context) ([]string, error)
	// CheckSyntax finds what is wrong with Nix files.
	CheckSyntax(context.Context, []string) ([]nixcmd.SyntaxError, error)
}

// Installation is what the fleet needs of Nix to measure it.
type Installation interface {
	// Version is that of the Nix in use.
	Version(context.Context) (nixcmd.Version, error)
	// StoreInfo is the store that Nix works on.
	StoreInfo(context.Context) (nixcmd.StoreInfo, error)
	// Revision is the flake's commit, and whether its tree differs from it.
	Revision(context.Context) (revision string, dirty bool, err error)
	// Settings are where Nix fetches from, and whom it trusts.
	Settings(context.Context) (nixcmd.Settings, error)
	// Derivations describes derivations of the store.
	Derivations(context.Context, []nixcmd.StorePath) ([]nixcmd.Derivation, error)
	// Missing returns the paths that are not in the local store.
	Missing(context.Context, []nixcmd.StorePath) ([]nixcmd.StorePath, error)
	// Damaged returns the paths whose contents in the local store have changed.
	Damaged(context.Context, []nixcmd.StorePath) ([]nixcmd.StorePath, error)
	// AddFiles adds files to the local store, and Delete deletes paths from it.
	AddFiles(context.Context, []string) ([]nixcmd.StorePath, error)
	Delete(context.Context, []nixcmd.StorePath) error
	// CopyClosure is Copy as others do it.
	CopyClosure(ctx context.Context, paths []nixcmd.StorePath, host, options string) error
}

// Remote is an open connection to one host; *sshpool.Conn is one.
type Remote interface {
	// Run runs one command or script there, in one session.
	Run(context.Context, sshpool.Cmd) (sshpool.Result, error)
	// Fresh does so over a new connection, which proves that the host can still
	// be logged in to. It is begun before its time, and so must heed Cmd.Hold: a
	// command that does not wait for that may confirm what is given up.
	Fresh(context.Context, sshpool.Cmd) (sshpool.Result, error)
	// NixSSHOpts is the value of NIX_SSHOPTS with which Nix uses the same
	// connection.
	NixSSHOpts() string
}

// Dialer opens connections. One that also has a method
//
//	NixSSHOptsFor(map[string]Remote) (string, error)
//
// which returns the value of NIX_SSHOPTS for several of them, each under the name that stands
// for its host in a store's URL, lets Inventory.Builders be reached over its connections; without
// it Nix connects to them by itself. Connect is called concurrently, and again for a
// host whose connection was lost. The fleet closes no Remote: whoever made the
// Dialer ends its connections once the fleet is no longer used.
type Dialer interface {
	// Connect opens, or finds open, the connection to a host.
	Connect(context.Context, Host) (Remote, error)
}

// poolDialer opens connections from a pool.
type poolDialer struct{ pool *sshpool.Pool }

// target is a host as ssh sees it.
func target(h Host) sshpool.Target {
	return sshpool.Target{Host: h.Address, User: h.User, Port: h.Port, Options: h.SSHOptions}
}

func (d poolDialer) Connect(ctx context.Context, h Host) (Remote, error) {
	c, err := d.pool.Connect(ctx, target(h))
	if err != nil {
		return nil, err
	}
	return c, nil
}
