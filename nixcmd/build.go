package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// BuildOptions are options of Client.Build.
type BuildOptions struct {
	// Store is the store to build in, such as "ssh-ng://root@web"; see CopyURL.
	// The derivations go there from the local store, with all they refer to and
	// the store lacks; the outputs stay there, where nothing keeps them from the
	// garbage collector. What is built and fetched there is by the settings of
	// that machine: Nix hands on none of KeepGoing, Fallback and Cache. "" means
	// the local store.
	Store string
	// SSHOpts are further options for ssh (NIX_SSHOPTS), as in CopyOptions. Where a Nix
	// daemon builds, they are not for Builders: it runs ssh by itself.
	SSHOpts string
	// Builders are what the build hook may build on, in place of those of nix.conf. nil
	// leaves those; an empty list is none. Before anything is built here, Nix asks the hook
	// for a builder, unless the derivation prefers to be built here. A Nix daemon
	// ignores them, with a warning, for all but root and its trusted users.
	Builders []Builder
	// OutLink makes a symlink at this path to the first output (to further ones
	// at OutLink-1, OutLink-2, …), which also keeps them from the garbage
	// collector. "" makes none.
	OutLink string
	// KeepGoing builds what can be built after something has failed.
	KeepGoing bool
	// Fallback builds what a substituter promised and failed to deliver.
	Fallback bool
	// Cache is asked besides the substituters of nix.conf; the zero value is
	// none. With one, Fallback is implied, so that a cache that is down fails no
	// build: Nix warns, and goes on without it.
	Cache Cache
	// Rebuild builds derivations once more whose outputs are valid already, but
	// none of their inputs, and compares what comes of it with what is there,
	// which stays. A difference, and an output that is not valid, is an error, a
	// *BuildError whose Failed may name another derivation of those built at once.
	Rebuild bool
	// Usage is called once the build has ended, well or not, with what it cost
	// here. What a daemon or another machine built is not in it; what Nix built
	// itself, as root without a daemon, is. nil means nobody looks.
	Usage func(Usage)
	// Progress is called with what happens, one event at a time and not after
	// Build has returned. It holds up the build's log while it runs. nil means
	// nobody looks.
	Progress func(BuildEvent)
}

// BuildEventKind says what a BuildEvent tells of.
type BuildEventKind int

// The kinds of BuildEvent, with the fields that are set besides Totals.
const (
	// BuildStarted: Derivation, and Machine if it is not this one.
	BuildStarted BuildEventKind = iota + 1
	// BuildPhase: Derivation entered the phase Text.
	BuildPhase
	// BuildLog: Derivation printed the line Text, without colours.
	BuildLog
	// BuildStopped: Derivation is no longer being built; whether it failed is
	// known only from a later BuildFailed, or from the absence of one.
	BuildStopped
	// BuildFailed: Derivation failed.
	BuildFailed
	// FetchStarted: Path is being fetched from Source.
	FetchStarted
	// FetchStopped: Path is no longer being fetched.
	FetchStopped
	// SendStarted: Path, a derivation or what one needs, is being sent to
	// BuildOptions.Store or to a remote builder.
	SendStarted
	// BuildProgress: only Totals changed.
	BuildProgress
	// BuildMessage: Nix says Text, at Level.
	BuildMessage
)

// BuildEvent is something that happened during a build.
type BuildEvent struct {
	// Kind says what it tells of, and so which fields are set.
	Kind BuildEventKind
	// Derivation is the one that is built; "" if the event is of none.
	Derivation StorePath
	// Path is the one that is fetched or sent; "" if the event is of none.
	Path StorePath
	// Machine is the store URL of the remote builder; "" means the local store.
	Machine string
	// Source is the store URL of the substituter.
	Source string
	Text   string
	Level  Level
	// Totals are the counts as of this event.
	Totals BuildTotals
}

// BuildTotals are a build's counts so far. Expected numbers grow while Nix
// finds out what there is to do.
type BuildTotals struct {
	// Builds counts derivations: finished, to be built in all, being built, and
	// failed.
	BuildsDone, BuildsExpected, BuildsRunning, BuildsFailed int
	// Fetches counts store paths from substituters and remote builders, and those
	// that are sent to BuildOptions.Store or a builder.
	FetchesDone, FetchesExpected int
	// Bytes counts the contents of those paths (NAR size, unpacked).
	BytesDone, BytesExpected int64
}

// Build builds derivations (.drv paths that are in the store), or fetches their
// outputs, and returns all their outputs in the order Nix names them. Without
// derivations it does nothing. Errors: *BuildError if Nix ran and gave an
// error, else those of Version and *Error.
func (c *Client) Build(ctx context.Context, drvs []StorePath, opt BuildOptions) ([]StorePath, error) {
	const op = "build"
	if len(drvs) == 0 {
		return nil, nil
	}
	for _, d := range drvs {
		if _, err := ParseStorePath(string(d)); err != nil || !d.IsDerivation() {
			return nil, &Error{Op: op, ExitCode: -1, Err: fmt.Errorf("%q is not the path of a derivation", abbreviated(string(d)))}
		}
	}
	operands := make([]string, len(drvs))
	for i, d := range drvs {
		operands[i] = string(d) + "^*"
	}
	argv, err := c.cfg.buildArgs(operands, opt)
	if err != nil {
		return nil, &Error{Op: op, ExitCode: -1, Err: err}
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var paths []StorePath
	err = untilFree(ctx, func() (err error) {
		paths, err = c.build(ctx, argv, drvs, opt)
		return err
	})
	return paths, err
}

func (c *Client) build(ctx context.Context, argv []string, drvs []StorePath, opt BuildOptions) ([]StorePath, error) {
	const op = "build"
	log := newBuildLog(opt.Progress)
	// The log of a build can be larger than memory.
	res, err := c.run(ctx, op, proc.Cmd{Argv: argv, Env: c.cfg.environ(sshOpts(opt.SSHOpts)...), Stderr: log.line, DiscardStderr: true})
	if opt.Usage != nil {
		opt.Usage(usageOf(res))
	}
	var e *Error
	if errors.As(err, &e) {
		e.Stderr = log.human.String()
		if e.Err == nil && len(log.messages) > 0 {
			return nil, log.explain(drvs, opt.Store, e)
		}
		return nil, e
	}
	var paths []StorePath
	for line := range strings.Lines(string(res.Stdout)) {
		p, err := ParseStorePath(strings.TrimSpace(line))
		if err != nil {
			return nil, &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: log.human.String(), Err: err}
		}
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

// buildArgs is the command that realises operands: derivations with outputs, or
// paths.
func (cfg Config) buildArgs(operands []string, opt BuildOptions) ([]string, error) {
	argv := append([]string{cfg.Program, "build"}, cfg.common()...)
	if opt.Store != "" {
		store, err := storeURL(opt.Store)
		if err != nil {
			return nil, err
		}
		if opt.OutLink != "" {
			return nil, fmt.Errorf("there can be no link to what is built in %s", opt.Store)
		}
		argv = append(argv, "--eval-store", "auto", "--store", store)
	}
	if opt.Builders != nil {
		builders, err := buildersArg(opt.Builders)
		if err != nil {
			return nil, err
		}
		argv = append(argv, "--builders", builders)
	}
	if opt.KeepGoing {
		argv = append(argv, "--keep-going")
	}
	if opt.Rebuild {
		argv = append(argv, "--rebuild")
	}
	argv = append(argv, opt.Cache.args()...)
	if opt.Fallback || opt.Cache.URL != "" {
		argv = append(argv, "--fallback")
	}
	argv = append(argv, "--log-format", "internal-json", "--print-out-paths")
	if opt.OutLink == "" {
		argv = append(argv, "--no-link")
	} else {
		argv = append(argv, "--out-link", opt.OutLink)
	}
	return append(append(argv, "--"), operands...), nil
}
