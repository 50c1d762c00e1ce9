package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// EvaluateOptions are options of Client.Evaluate.
type EvaluateOptions struct {
	// ShowTrace makes Nix say, should evaluation fail, through which
	// expressions it came to where it failed; see EvalError.Trace.
	ShowTrace bool
	// Fresh keeps Nix's evaluation cache out of it, which knows no warnings.
	Fresh bool
	// Heap is how far the evaluator's heap may grow, in bytes, before garbage is
	// collected for the first time; up to 384 MiB, 0 too, it is left to Nix, and so
	// is what the environment says itself (as GC_INITIAL_HEAP_SIZE). It is no bound.
	Heap int64
	// WatchOpens has the Evaluation say which files were opened; see there. Neither the evaluator nor
	// what it starts can get more rights then by running a program (setuid), and what goes on after
	// this process has ended cannot open files any more: it is for evaluations that fetch nothing.
	// Nix then remembers nothing of what it has fetched and copied, nor keeps that.
	WatchOpens bool
	// Started is called when an evaluator has started, with a function that tells
	// its resident memory in bytes, 0 once it has ended; the function may be called
	// at any time. nil means nobody looks.
	Started func(memory func() int64)
	// Log is called with every message up to LevelInfo, one at a time and not
	// after Evaluate has returned. nil means nobody looks.
	Log func(LogLine)
}

// Evaluation is what evaluating an attribute gave.
type Evaluation struct {
	// Derivation is the derivation that the attribute is, Toplevel its output
	// "out", which need not exist yet.
	Derivation, Toplevel StorePath
	// Imports are the Nix files that were imported, sorted and without
	// duplicates; empty when Cached. If a fresh evaluation is without flake.nix,
	// this Nix does not tell what it reads. A file of the flake's own source tree is a
	// path relative to that tree's root; others are as Nix shows them, with a
	// leading "/" or "«".
	Imports []string
	// Opens are the files that the evaluator opened, in order, named as Imports are. Those of the
	// source tree are what it compared with Git's index, before anything else; all, in the order of
	// an archive, if it put the tree into the store; and what it evaluated, read, or copied. nil if
	// that is not known: it was not asked for, this system does not tell, or the flake is read
	// out of what is no file, as of a commit since Nix 2.32.
	Opens []string
	// Cached says that Nix's evaluation cache answered: nothing but the inputs of
	// flake.nix was evaluated.
	Cached bool
	// Together says that the evaluator had other answers to give besides, so that
	// Imports and Builds are not known: see EvaluateTogether.
	Together bool
	// Builds says that evaluating needed what it had to build first, whether that
	// was there already or not (import from derivation).
	Builds bool
	// Relocked says that the flake's lock file was not up to date, and that Nix locked
	// inputs for this once without writing it: the same may give something else another
	// time. Only of a commit: Nix writes the lock file of a work tree.
	Relocked bool
	// Warnings are what Nix and the configuration warned of, in order.
	Warnings []string
	// Usage is what the evaluator cost, also if it failed.
	Usage Usage
}

// Evaluate finds the derivation that an attribute of a flake is, and writes it
// to the store; nothing is built. Nix's evaluation cache is used: with nothing
// changed this takes hundredths of a second. Of evaluations of one flake that a Client
// makes at once, if the first does not find its answer there, the others go without:
// see evalCaches. Errors: *EvalError if Nix ran and gave an error, else those of
// Version and *Error; Warnings and Usage are set then too.
func (c *Client) Evaluate(ctx context.Context, what Installable, opt EvaluateOptions) (Evaluation, error) {
	if what.ref == "" {
		return Evaluation{}, &Error{Op: "evaluate", ExitCode: -1, Err: errors.New("no installable given")}
	}
	v, err := c.Version(ctx)
	if err != nil {
		return Evaluation{}, err
	}
	var cache *cacheUse
	if !opt.Fresh {
		if cache, err = c.caches.enter(ctx, what.ref); err != nil {
			return Evaluation{}, &Error{Op: "evaluate " + what.String(), ExitCode: -1, Err: proc.Because(ctx, err)}
		}
		defer cache.leave()
	}
	var ev Evaluation
	err = untilFree(ctx, func() error {
		ev, err = c.evaluate(ctx, v, what, opt, cache)
		return err
	})
	return ev, err
}

func (c *Client) evaluate(ctx context.Context, v Version, what Installable, opt EvaluateOptions, cache *cacheUse) (Evaluation, error) {
	log, drv, res, err := c.instantiate(ctx, v, what, opt, cache)
	var failed *EvalError
	if errors.As(err, &failed) && log.cached() && !v.AtLeast(2, 24) {
		// Until 2.24 the evaluation cache kept that there was an error, but not
		// which.
		log, drv, res, err = c.instantiate(ctx, v, what, opt, nil)
	}
	if err != nil {
		return Evaluation{Warnings: log.warnings, Usage: usageOf(res)}, err
	}
	ev := Evaluation{Derivation: drv, Cached: log.cached(), Builds: log.builds, Relocked: log.relocked(), Warnings: log.warnings, Usage: usageOf(res)}
	if !ev.Cached {
		ev.Imports = log.imports()
		if res.OpensKnown {
			ev.Opens = log.opens(res.Opens)
		}
	}
	if ev.Toplevel, err = c.output(ctx, drv); err != nil {
		return Evaluation{}, err
	}
	return ev, nil
}

// evaluateArgs is the command that evaluates an attribute. path-info answers
// from the evaluation cache, which `nix eval` never reads.
func (cfg Config) evaluateArgs(v Version, what Installable, showTrace, uncached bool) []string {
	argv := append([]string{cfg.Program, "path-info"}, cfg.common()...)
	if uncached {
		argv = append(argv, "--no-eval-cache")
	}
	if showTrace {
		argv = append(argv, "--show-trace")
	}
	return append(append(argv, "--log-format", "internal-json", "-v", "--derivation"), what.arguments(v)...)
}

func (c *Client) instantiate(ctx context.Context, v Version, what Installable, opt EvaluateOptions, cache *cacheUse) (*evalLog, StorePath, proc.Result, error) {
	log := &evalLog{each: opt.Log, missed: func() { cache.tell(false) }}
	drv, res, err := c.instantiateWith(ctx, v, what, opt, log, !cache.used())
	cache.tell(log.cached())
	return log, drv, res, err
}

func (c *Client) instantiateWith(ctx context.Context, v Version, what Installable, opt EvaluateOptions, log *evalLog, uncached bool) (StorePath, proc.Result, error) {
	op := "evaluate " + what.String()
	argv := c.cfg.evaluateArgs(v, what, opt.ShowTrace, uncached)
	cmd := proc.Cmd{Argv: argv, Stderr: log.line, WatchOpens: opt.WatchOpens}
	settings := c.heapSettings(opt.Heap)
	if opt.WatchOpens && v.AtLeast(2, 27) {
		setting, remove, err := c.withoutCopies()
		if cmd.WatchOpens = err == nil; err == nil {
			defer remove()
			settings = append(settings, setting)
		}
	}
	cmd.Env = c.cfg.environ(settings...)
	if opt.Started != nil {
		cmd.Started = func(p *proc.Process) { opt.Started(p.Memory) }
	}
	res, err := c.run(ctx, op, cmd)
	if err != nil {
		return "", res, log.explain(what, err)
	}
	drv, err := ParseStorePath(strings.TrimSpace(string(res.Stdout)))
	if err == nil && !drv.IsDerivation() {
		err = fmt.Errorf("%s is not a derivation", drv)
	}
	if err != nil {
		return "", res, &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: log.human.String(), Err: err}
	}
	return drv, res, nil
}

// output finds the path of a derivation's output "out": in its file, if it is on
// this machine, or else from whatever store is in use.
func (c *Client) output(ctx context.Context, drv StorePath) (StorePath, error) {
	if p, ok := readOutput(drv); ok {
		return p, nil
	}
	return c.askOutput(ctx, drv)
}

// askOutput asks nix-store, because it gives the same answer in every version.
func (c *Client) askOutput(ctx context.Context, drv StorePath) (StorePath, error) {
	op := "find the output of " + drv.Name()
	argv := c.cfg.outputArgs(drv)
	res, err := c.run(ctx, op, proc.Cmd{Argv: argv})
	if err != nil {
		return "", err
	}
	name := strings.TrimSuffix(drv.Name(), ".drv") // other outputs add their name to this
	for line := range strings.Lines(string(res.Stdout)) {
		p, err := ParseStorePath(strings.TrimSpace(line))
		if err == nil && p.Name() == name {
			return p, nil
		}
	}
	return "", &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: plain(string(res.Stderr)),
		Err:  errors.New("no output \"out\" whose path is known"),
		hint: "content-addressed derivations and ones without an output \"out\" are not supported"}
}

func (cfg Config) outputArgs(drv StorePath) []string {
	argv := []string{cfg.tool("nix-store")}
	for _, o := range cfg.Options {
		argv = append(argv, "--option", o.Name, o.Value)
	}
	return append(argv, "--query", "--outputs", "--", string(drv))
}
