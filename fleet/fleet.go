package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// Config says what Open opens. The zero value is useful.
type Config struct {
	// Dir is where the search for fleet.toml begins; empty means the working
	// directory.
	Dir string
	// State is what to look at instead of the files in Dir; nil means those.
	// Validate does not know it.
	State *State
	// StateDir is where roots of built systems and results of evaluations are kept,
	// and what runs have taught of durations and memory; empty means
	// $XDG_STATE_HOME/flotilla, by default ~/.local/state/flotilla.
	StateDir string
	// Fresh evaluates every host, whatever is known from earlier runs. Verify does
	// so as well, and fails a host that was taken to be unchanged and is not.
	Fresh, Verify bool
	// BuildHost takes the place of every Host.BuildHost; empty leaves them as they are. What
	// DeployOptions say comes before it. Open returns an error if there is no such host.
	BuildHost string
	// Password gives the password with which a host's remote user may use sudo, on a
	// host whose sudo wants one; the zero Password says that there is none. It is
	// called at most once for each host, from several goroutines. nil means that there
	// are none. A password is tried on one host before it is given to any other.
	Password func(context.Context, Host) (Password, error)
	// SocketProgram is a command that calls PassSocket with the arguments that are appended
	// to it, which makes new connections faster; see sshpool.Config. nil does without.
	SocketProgram []string
	// Unseen is shared with other Fleets that are not to warn again of files that the flake
	// does not see; nil means that every run warns of them.
	Unseen *Unseen
	// Sink is told what happens; nil means nobody is.
	Sink Sink
	// Nix and Dialer take the place of the real ones; nil means the `nix` and
	// `ssh` programs. A Nix without nixcmd.Client's SettingsKey evaluates every
	// host in every run.
	Nix    Nix
	Dialer Dialer
}

// Fleet is an inventory with the means to act on it. Its methods may be called
// concurrently; what they do at once is bounded together.
type Fleet struct {
	// Inventory is what fleet.toml says.
	Inventory *Inventory

	flake    string // "" is that in the inventory's directory
	commit   string // that the flake is of, "" if it is not known
	nix      Nix
	dialer   Dialer
	stateDir string
	// stateGiven says that it is Config's.
	stateGiven bool
	patience   time.Duration
	// substituters is how long those of a host are waited for.
	substituters  time.Duration
	fresh, verify bool
	watch         watching
	unseen        *Unseen
	stages        stages
	history       history
	builders      builders
	reaches       reaches
	crew          crew
	passwords     passwords
	cacheProbe    cacheProbe
	shut          shutStore
	pool          *sshpool.Pool

	sinkMu sync.Mutex
	sink   Sink
}

// Open reads and checks the inventory; it contacts nothing and starts nothing.
// Errors are *ConfigError, or say why the state directory or the connection
// directory cannot be used, or that there is no such build host.
func Open(c Config) (*Fleet, error) {
	inv, err := c.inventory()
	if err != nil {
		return nil, err
	}
	if err := inv.buildOn(c.BuildHost); err != nil {
		return nil, err
	}
	f := &Fleet{Inventory: inv, nix: c.Nix, dialer: c.Dialer, sink: c.Sink, stages: newStages(inv.Limits), fresh: c.Fresh, verify: c.Verify, unseen: c.Unseen,
		patience: 4 * or(inv.SSH.ConnectTimeout, 10*time.Second), substituters: substitutersPatience}
	f.passwords.get, f.stateGiven = c.Password, c.StateDir != ""
	if c.State != nil {
		f.flake, f.commit = c.State.Flake, c.State.Commit
	}
	if f.stateDir, err = stateDir(c.StateDir); err != nil {
		return nil, err
	}
	f.history.dir = filepath.Join(f.stateDir, "learnt", inv.id())
	if f.nix == nil {
		// Nix's word on a dirty tree would come once per host; and hosts share
		// derivations, on which one waits for another for 5 s at a time.
		f.nix = nixcmd.New(nixcmd.Config{Dir: inv.Dir, AcceptFlakeConfig: true,
			Options: []nixcmd.Option{{Name: "warn-dirty", Value: "false"}, {Name: "build-poll-interval", Value: "1"}}})
	}
	if f.dialer == nil {
		policy := sshpool.Strict
		if inv.SSH.AcceptNewHostKeys {
			policy = sshpool.AcceptNew
		}
		f.pool, err = sshpool.New(sshpool.Config{
			Persist: inv.SSH.Persist, ConnectTimeout: inv.SSH.ConnectTimeout,
			HostKeys: policy, ConfigFile: inv.SSH.ConfigFile, SocketProgram: c.SocketProgram,
		})
		if err != nil {
			return nil, err
		}
		f.dialer = poolDialer{f.pool}
	}
	return f, nil
}

// Close ends the connections that are not to outlive this run.
func (f *Fleet) Close(ctx context.Context) error {
	if f.pool == nil {
		return nil
	}
	return f.pool.Close(ctx)
}

func (f *Fleet) emit(e Event) {
	if f.sink == nil {
		return
	}
	f.sinkMu.Lock()
	defer f.sinkMu.Unlock()
	f.sink.Event(e)
}

func stateDir(configured string) (string, error) {
	if configured != "" {
		return filepath.Abs(configured)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "flotilla"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("neither XDG_STATE_HOME nor HOME is set; one of them says where to keep state")
	}
	return filepath.Join(home, ".local", "state", "flotilla"), nil
}
