package nixcmd

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Option is a setting of nix.conf, given to nix as --option Name Value.
type Option struct {
	// Name is the setting's name, Value what it is set to.
	Name, Value string
}

// Config says how nix is run. The zero value runs the nix of the PATH in the
// working directory of this process.
type Config struct {
	// Program is the nix to run; "" means "nix", looked up in the PATH. Its
	// nix-store is expected beside it.
	Program string
	// Dir is the directory to run in, that of the flake; "" means the working
	// directory of this process.
	Dir string
	// Options are given to every command, in order.
	Options []Option
	// AcceptFlakeConfig accepts the nixConfig of any flake. Without it, Nix
	// warns of settings it does not trust and goes on.
	AcceptFlakeConfig bool
	// Env are NAME=VALUE settings added to the environment of this process.
	Env []string
	// Grace is how long an interrupted nix may take to end before it is killed;
	// 0 means the default of internal/proc, 5 s.
	Grace time.Duration
}

// Client runs nix. Its methods may be called concurrently; each runs processes
// of its own and returns when they have ended.
type Client struct {
	cfg     Config
	version versionCache
	caches  evalCaches
}

// New returns a client. It starts nothing and checks nothing: the first method
// called finds out whether there is a Nix.
func New(cfg Config) *Client {
	if cfg.Program == "" {
		cfg.Program = "nix"
	}
	cfg.Options = append([]Option(nil), cfg.Options...)
	cfg.Env = append([]string(nil), cfg.Env...)
	return &Client{cfg: cfg, version: versionCache{turn: make(chan struct{}, 1)}}
}

// Usage is what a command cost, from the kernel's accounting of it and of the
// children it waited for (getrusage(2)); work that a Nix daemon did is not
// included.
type Usage struct {
	// Duration is wall time.
	Duration time.Duration
	// UserTime and SystemTime are processor time.
	UserTime, SystemTime time.Duration
	// MaxRSS is the largest resident set of a single process, in bytes.
	MaxRSS int64
}

func usageOf(r proc.Result) Usage {
	return Usage{Duration: r.Duration, UserTime: r.UserTime, SystemTime: r.SystemTime, MaxRSS: r.MaxRSS}
}

// features are what flakes need and what a Nix without configuration lacks.
const features = "nix-command flakes"

// common are the arguments that every `nix` command takes, after the
// subcommand and before what is special to it.
func (cfg Config) common() []string {
	args := []string{"--extra-experimental-features", features}
	for _, o := range cfg.Options {
		args = append(args, "--option", o.Name, o.Value)
	}
	if cfg.AcceptFlakeConfig {
		args = append(args, "--accept-flake-config")
	}
	return args
}

// environ keeps messages the same whatever the user's language and terminal.
func (cfg Config) environ(extra ...string) []string {
	settings := append([]string{"LC_ALL=C", "NO_COLOR=1"}, cfg.Env...)
	return proc.Environ(append(settings, extra...)...)
}

// tool is another program of the same Nix installation.
func (cfg Config) tool(name string) string {
	if strings.ContainsRune(cfg.Program, '/') {
		return filepath.Dir(cfg.Program) + "/" + name // Join would drop a "./"
	}
	return name
}

// spanName is what a command is called in traces: the program, and its subcommand if
// that comes first.
func spanName(argv []string) string {
	name := filepath.Base(argv[0])
	if len(argv) > 1 && strings.Trim(argv[1], "abcdefghijklmnopqrstuvwxyz-") == "" && !strings.HasPrefix(argv[1], "-") {
		name += " " + argv[1]
	}
	return name
}

// run runs one command to its end. Its error is an *Error, for the caller to
// refine; standard output is in the result.
func (c *Client) run(ctx context.Context, op string, cmd proc.Cmd) (proc.Result, error) {
	cmd.Dir, cmd.Grace, cmd.Name = c.cfg.Dir, c.cfg.Grace, spanName(cmd.Argv)
	if cmd.Env == nil {
		cmd.Env = c.cfg.environ()
	}
	res, err := proc.Run(ctx, cmd)
	if err != nil {
		e := commandError(op, cmd.Argv, res, err)
		if e.Err != nil {
			e.Err = proc.Because(ctx, e.Err)
		}
		return res, e
	}
	return res, nil
}
