package nixcmd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Derivation is what `nix derivation show` tells of a derivation.
type Derivation struct {
	// Path is the .drv path.
	Path StorePath
	// Inputs are the derivations whose outputs it is built from, sorted.
	Inputs []StorePath
	// Outputs are the paths it makes, sorted; without those that are not known
	// before it is built.
	Outputs []StorePath
	// Local reports whether its author marked it as cheaper to build than to
	// fetch or to send elsewhere: preferLocalBuild is true or allowSubstitutes is
	// false (Nix manual, "Advanced attributes").
	Local bool
	// System is the platform that builds it, such as "x86_64-linux"; RequiredFeatures are
	// what the machine must have besides (requiredSystemFeatures), nil if nothing.
	System           string
	RequiredFeatures []string
	// FixedOutput reports whether its content is known beforehand, as that of a
	// download is.
	FixedOutput bool
}

// Derivations describes derivations of the store, sorted by path. Without any it
// does nothing. Errors: those of Version and *Error.
func (c *Client) Derivations(ctx context.Context, drvs []StorePath) ([]Derivation, error) {
	const op = "describe derivations"
	if len(drvs) == 0 {
		return nil, nil
	}
	argv := append([]string{c.cfg.Program, "derivation", "show"}, c.cfg.common()...)
	argv = append(argv, "--")
	for _, d := range drvs {
		if _, err := ParseStorePath(string(d)); err != nil || !d.IsDerivation() {
			return nil, &Error{Op: op, ExitCode: -1, Err: fmt.Errorf("%q is not the path of a derivation", abbreviated(string(d)))}
		}
		argv = append(argv, string(d))
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var res proc.Result
	err := untilFree(ctx, func() (err error) {
		res, err = c.run(ctx, op, proc.Cmd{Argv: argv})
		return err
	})
	if err != nil {
		return nil, err
	}
	all, err := parseDerivations(res.Stdout)
	if err != nil {
		return nil, &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: plain(string(res.Stderr)), Err: err}
	}
	return all, nil
}

// shownDerivation is the part of an entry that is read, in the form of Nix up to
// 2.32 and that of 2.33 on (where inputs are in an object of their own, and
// names stand for paths).
type shownDerivation struct {
	System     string                     `json:"system"`
	Env        map[string]json.RawMessage `json:"env"`
	Structured structuredAttrs            `json:"structuredAttrs"`
	InputDrvs  map[string]json.RawMessage `json:"inputDrvs"`
	Inputs     struct {
		Drvs map[string]json.RawMessage `json:"drvs"`
	} `json:"inputs"`
	Outputs map[string]struct {
		Path string          `json:"path"`
		Hash json.RawMessage `json:"hash"`
	} `json:"outputs"`
}

// structuredAttrs are those of a derivation that are read.
type structuredAttrs struct {
	PreferLocalBuild       bool     `json:"preferLocalBuild"`
	AllowSubstitutes       *bool    `json:"allowSubstitutes"`
	RequiredSystemFeatures []string `json:"requiredSystemFeatures"`
}

func parseDerivations(output []byte) ([]Derivation, error) {
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimSpace(output), &byName); err != nil {
		return nil, fmt.Errorf("unexpected output of nix derivation show: %w", err)
	}
	if inner, ok := byName["derivations"]; ok {
		byName = nil
		if err := json.Unmarshal(inner, &byName); err != nil {
			return nil, fmt.Errorf("unexpected output of nix derivation show: %w", err)
		}
	}
	all := make([]Derivation, 0, len(byName))
	for name, raw := range byName {
		d, err := parseDerivation(name, raw)
		if err != nil {
			return nil, fmt.Errorf("unexpected output of nix derivation show: %w", err)
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Derivation) int { return cmp.Compare(a.Path, b.Path) })
	return all, nil
}

func parseDerivation(name string, raw json.RawMessage) (Derivation, error) {
	path, err := ParseStorePath(absolute(name))
	if err != nil {
		return Derivation{}, err
	}
	var s shownDerivation
	if err := json.Unmarshal(raw, &s); err != nil {
		return Derivation{}, err
	}
	if len(s.Outputs) == 0 {
		return Derivation{}, errors.New(string(path) + " has no outputs")
	}
	attrs := s.attributes()
	d := Derivation{Path: path, Local: s.local(attrs), System: s.System, RequiredFeatures: attrs.RequiredSystemFeatures}
	for _, inputs := range []map[string]json.RawMessage{s.InputDrvs, s.Inputs.Drvs} {
		for name := range inputs {
			input, err := ParseStorePath(absolute(name))
			if err != nil {
				return Derivation{}, err
			}
			d.Inputs = append(d.Inputs, input)
		}
	}
	for _, o := range s.Outputs {
		d.FixedOutput = d.FixedOutput || len(o.Hash) > 0 && string(o.Hash) != "null"
		if o.Path == "" {
			continue
		}
		out, err := ParseStorePath(absolute(o.Path))
		if err != nil {
			return Derivation{}, err
		}
		d.Outputs = append(d.Outputs, out)
	}
	slices.Sort(d.Inputs)
	slices.Sort(d.Outputs)
	return d, nil
}

// attributes are the structured ones, which before 2.33 are JSON text in the environment's
// __json, or those that stand in the environment itself.
func (s shownDerivation) attributes() structuredAttrs {
	attrs := s.Structured
	if text, ok := s.variable("__json"); ok && json.Unmarshal([]byte(text), &attrs) != nil {
		return structuredAttrs{}
	}
	if text, ok := s.variable("requiredSystemFeatures"); ok {
		attrs.RequiredSystemFeatures = strings.Fields(text)
	}
	return attrs
}

// local reads the two marks where they are: in structured attributes, or in the environment,
// as Nix writes booleans there.
func (s shownDerivation) local(attrs structuredAttrs) bool {
	prefer, _ := s.variable("preferLocalBuild")
	allow, isSet := s.variable("allowSubstitutes")
	return prefer == "1" || isSet && allow == "" ||
		attrs.PreferLocalBuild || attrs.AllowSubstitutes != nil && !*attrs.AllowSubstitutes
}

func (s shownDerivation) variable(name string) (text string, ok bool) {
	raw, ok := s.Env[name]
	return text, ok && json.Unmarshal(raw, &text) == nil
}

// Missing returns those of the paths that are not valid in the local store, in
// the order given; no substituter is asked. Without paths it does nothing.
// Errors: those of Version and *Error.
func (c *Client) Missing(ctx context.Context, paths []StorePath) ([]StorePath, error) {
	const op = "ask which paths there are"
	if len(paths) == 0 {
		return nil, nil
	}
	argv := []string{c.cfg.tool("nix-store")}
	for _, o := range c.cfg.Options {
		argv = append(argv, "--option", o.Name, o.Value)
	}
	argv = append(argv, "--check-validity", "--print-invalid", "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, &Error{Op: op, ExitCode: -1, Err: err}
		}
		argv = append(argv, string(p))
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var res proc.Result
	err := untilFree(ctx, func() (err error) {
		res, err = c.run(ctx, op, proc.Cmd{Argv: argv})
		return err
	})
	if err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	for line := range bytes.Lines(res.Stdout) {
		missing[string(bytes.TrimSpace(line))] = true
	}
	return slices.DeleteFunc(slices.Clone(paths), func(p StorePath) bool { return !missing[string(p)] }), nil
}
