package nixcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// FlakeOutputs names all outputs of a flake as one attribute set, for AttrNames
// and Value. Nix can address it since 2.19; before, they give a *TooOldError.
// What is refused as a flake is the same as with FlakeAttr.
func FlakeOutputs(dirOrRef string) (Installable, error) {
	one, err := FlakeAttr(dirOrRef, "any")
	return Installable{ref: one.ref}, err
}

// AttrNames lists the names in an attribute set of a flake, sorted, without
// evaluating what they stand for. Errors are those of Value.
func (c *Client) AttrNames(ctx context.Context, what Installable) ([]string, error) {
	names, _, err := c.ReadAttrNames(ctx, what)
	return names, err
}

// ReadAttrNames is AttrNames, and what was read for it: of the evaluation, Imports,
// Builds and Relocked are set.
func (c *Client) ReadAttrNames(ctx context.Context, what Installable) (names []string, ev Evaluation, err error) {
	log, err := c.value(ctx, what, "builtins.attrNames", &names)
	if err != nil {
		return nil, Evaluation{}, err
	}
	return names, Evaluation{Imports: log.imports(), Builds: log.builds, Relocked: log.relocked()}, nil
}

// Value evaluates an attribute of a flake and returns it as JSON. Nix's
// evaluation cache has no part in it. Errors: *EvalError if Nix ran and gave an
// error, a function for one, which JSON cannot show; else those of Version and
// *Error.
func (c *Client) Value(ctx context.Context, what Installable) (json.RawMessage, error) {
	var v json.RawMessage
	_, err := c.value(ctx, what, "", &v)
	return v, err
}

// value decodes an attribute, or what a function makes of it.
func (c *Client) value(ctx context.Context, what Installable, apply string, into any) (*evalLog, error) {
	op := "evaluate " + what.String()
	if what.ref == "" {
		return nil, &Error{Op: op, ExitCode: -1, Err: errors.New("no installable given")}
	}
	v, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	if len(what.attr) == 0 && !v.AtLeast(2, 19) {
		return nil, &TooOldError{Found: v, Minimum: Version{Major: 2, Minor: 19}, Program: c.cfg.Program}
	}
	var log *evalLog
	err = untilFree(ctx, func() error {
		log = &evalLog{}
		argv := c.cfg.valueArgs(v, what, apply)
		res, err := c.run(ctx, op, proc.Cmd{Argv: argv, Stderr: log.line})
		if err != nil {
			return log.explain(what, err)
		}
		if err := json.Unmarshal(res.Stdout, into); err != nil {
			return &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: log.human.String(),
				Err: fmt.Errorf("its answer is not the JSON expected: %w", err)}
		}
		return nil
	})
	return log, err
}

// valueArgs is the command that prints an attribute as JSON.
func (cfg Config) valueArgs(v Version, what Installable, apply string) []string {
	argv := append([]string{cfg.Program, "eval"}, cfg.common()...)
	argv = append(argv, "--json")
	if apply != "" {
		argv = append(argv, "--apply", apply)
	}
	return append(append(argv, "--log-format", "internal-json", "-v"), what.arguments(v)...)
}
