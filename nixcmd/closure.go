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

// PathInfo is what a store knows of a path.
type PathInfo struct {
	// Path is the path.
	Path StorePath
	// NarSize is the size of the path's contents, in bytes, as a Nix archive.
	NarSize int64
	// References are the paths it refers to, sorted; it may be one of them.
	References []StorePath
	// Signers are the names of the keys that are said to have signed it there.
	Signers []string
}

// ClosureArgs are the arguments with which a nix of unknown version, also on
// another machine, lists the closure of a path; ParsePathInfo reads what it
// prints. Of its elements the one with a space and, if the path's name has a
// "?", the path need quoting in a shell. Nix 2.33 and later warn on standard
// error that a format was not asked for, which older ones would not understand.
func ClosureArgs(p StorePath) []string {
	return closureArgs(Config{}, Version{}, p)
}

func closureArgs(cfg Config, v Version, p StorePath) []string {
	args := append([]string{"path-info"}, cfg.common()...)
	args = append(args, "--recursive", "--json")
	if v.AtLeast(2, 33) {
		args = append(args, "--json-format", "2")
	}
	return append(args, "--", string(p))
}

// Closure returns what is known of a path and of everything it refers to,
// sorted by path. Errors: those of Version and *Error, as of a path that is not
// in the store.
func (c *Client) Closure(ctx context.Context, p StorePath) ([]PathInfo, error) {
	return c.closure(ctx, p, false)
}

// BackgroundClosure is Closure with the lowest priority for processor time, for
// an answer that is not worth slowing anything else down. (What a Nix daemon does
// for it has the daemon's priority.)
func (c *Client) BackgroundClosure(ctx context.Context, p StorePath) ([]PathInfo, error) {
	return c.closure(ctx, p, true)
}

func (c *Client) closure(ctx context.Context, p StorePath, background bool) ([]PathInfo, error) {
	op := "query the closure of " + p.Name()
	if _, err := ParseStorePath(string(p)); err != nil {
		return nil, &Error{Op: "query a closure", ExitCode: -1, Err: err}
	}
	v, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	argv := append([]string{c.cfg.Program}, closureArgs(c.cfg, v, p)...)
	var res proc.Result
	err = untilFree(ctx, func() (err error) {
		res, err = c.run(ctx, op, proc.Cmd{Argv: argv, Background: background})
		return err
	})
	if err != nil {
		return nil, err
	}
	infos, err := ParsePathInfo(res.Stdout)
	if err != nil {
		return nil, &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: plain(string(res.Stderr)), Err: err}
	}
	return infos, nil
}

// pathInfo is the part of the entries that this package reads; it is the same
// in every format but for base names in place of paths.
type pathInfo struct {
	Path       string      `json:"path"`
	Valid      *bool       `json:"valid"`
	NarSize    int64       `json:"narSize"`
	References []string    `json:"references"`
	Signatures []signature `json:"signatures"`
}

// signature is the name of the key of one: a text NAME:BASE64, or an object with the name.
type signature string

// UnmarshalJSON takes both; of anything else nobody is known to be the signer.
func (s *signature) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		text, _, _ = strings.Cut(text, ":")
		*s = signature(text)
		return nil
	}
	var parts struct {
		KeyName string `json:"keyName"`
	}
	if json.Unmarshal(data, &parts) == nil {
		*s = signature(parts.KeyName)
	}
	return nil
}

// ParsePathInfo reads the output of `nix path-info --json` of any Nix from 2.18
// to 2.35: a list (2.18), a map by path (2.19 on, --json-format 1), or a map by
// base name in an object that names its version (--json-format 2 and 3). Paths
// that are not valid in the store are left out; the rest is sorted by path.
// Empty input is an error; an empty list is not.
func ParsePathInfo(output []byte) ([]PathInfo, error) {
	entries, err := pathInfoEntries(bytes.TrimSpace(output))
	if err != nil {
		return nil, fmt.Errorf("unexpected output of nix path-info: %w", err)
	}
	infos := make([]PathInfo, 0, len(entries))
	for _, e := range entries {
		if e == nil || e.Valid != nil && !*e.Valid {
			continue
		}
		info, err := e.parse()
		if err != nil {
			return nil, fmt.Errorf("unexpected output of nix path-info: %w", err)
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b PathInfo) int { return cmp.Compare(a.Path, b.Path) })
	return infos, nil
}

func pathInfoEntries(data []byte) ([]*pathInfo, error) {
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	if data[0] == '[' {
		var list []*pathInfo
		err := json.Unmarshal(data, &list)
		return list, err
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(data, &byName); err != nil {
		return nil, err
	}
	if inner, ok := byName["info"]; ok {
		byName = nil
		if err := json.Unmarshal(inner, &byName); err != nil {
			return nil, err
		}
	}
	entries := make([]*pathInfo, 0, len(byName))
	for name, raw := range byName {
		var e *pathInfo
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, err
		}
		if e != nil {
			e.Path = name
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (e *pathInfo) parse() (PathInfo, error) {
	p, err := ParseStorePath(absolute(e.Path))
	if err != nil {
		return PathInfo{}, err
	}
	if e.NarSize < 0 {
		return PathInfo{}, fmt.Errorf("%s has a size of %d bytes", p, e.NarSize)
	}
	info := PathInfo{Path: p, NarSize: e.NarSize}
	for _, r := range e.References {
		ref, err := ParseStorePath(absolute(r))
		if err != nil {
			return PathInfo{}, err
		}
		info.References = append(info.References, ref)
	}
	slices.Sort(info.References)
	for _, s := range e.Signatures {
		info.Signers = append(info.Signers, string(s))
	}
	return info, nil
}

func absolute(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return StoreDir + "/" + name
}
