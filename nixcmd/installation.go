package nixcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Settings are the settings of Nix in force that say where it fetches from, and what it
// builds.
type Settings struct {
	// Substituters are store URLs, in order; nil if there are none.
	Substituters []string
	// TrustedPublicKeys are the keys, as NAME:BASE64, of which one must have
	// signed what is fetched.
	TrustedPublicKeys []string
	// RequireSigs is false if nothing needs a signature.
	RequireSigs bool
	// Systems are the platforms that Nix builds for on this machine, its own first, and
	// Features what it says that this machine has (system-features).
	Systems, Features []string
}

// Settings asks Nix for its settings: nix.conf, the environment and
// Config.Options together; those that a flake brings are not among them. Errors:
// those of Version and *Error.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	var shown map[string]struct {
		Value json.RawMessage `json:"value"`
	}
	err := c.ask(ctx, "ask Nix for its settings", &shown, func(v Version) []string {
		if v.AtLeast(2, 20) {
			return []string{"config", "show"}
		}
		return []string{"show-config"}
	})
	s, system := Settings{RequireSigs: true}, ""
	for name, into := range map[string]any{
		"substituters": &s.Substituters, "trusted-public-keys": &s.TrustedPublicKeys, "require-sigs": &s.RequireSigs,
		"system": &system, "extra-platforms": &s.Systems, "system-features": &s.Features,
	} {
		if raw := shown[name].Value; err == nil && raw != nil {
			err = json.Unmarshal(raw, into)
		}
	}
	if err != nil {
		return Settings{}, err
	}
	s.Systems = append([]string{system}, s.Systems...)
	// The one that was trusted is named once, whatever its file says.
	s.Substituters = distinct(s.Substituters)
	return s, nil
}

// Builds reports whether this machine can build what is for a system and requires features.
func (s Settings) Builds(system string, features []string) bool {
	return (system == "builtin" || slices.Contains(s.Systems, system)) && !slices.ContainsFunc(features, func(f string) bool { return !slices.Contains(s.Features, f) })
}

func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// StoreInfo is the store that Nix works on.
type StoreInfo struct {
	// URL is "local" if Nix works on it itself, "daemon" if a Nix daemon does the work, or
	// another.
	URL string
	// Untrusted reports whether the store is known not to trust this user, whose settings a
	// daemon then ignores.
	Untrusted bool
}

// StoreInfo asks for the store that Nix works on. Errors: those of Version and *Error.
func (c *Client) StoreInfo(ctx context.Context) (StoreInfo, error) {
	var info struct {
		URL     string `json:"url"`
		Trusted any    `json:"trusted"` // a number up to 2.26, later a boolean; null if unknown
	}
	err := c.ask(ctx, "ask Nix for its store", &info, func(v Version) []string {
		if v.AtLeast(2, 20) {
			return []string{"store", "info"}
		}
		return []string{"store", "ping"}
	})
	return StoreInfo{URL: info.URL, Untrusted: info.Trusted == false || info.Trusted == 0.0}, err
}

// Revision tells which commit of its source repository the flake in Config.Dir
// is, "" if it has none, and whether the tree differs from it. Errors: those of
// Version and *Error.
func (c *Client) Revision(ctx context.Context) (revision string, dirty bool, err error) {
	var m struct {
		Revision      string `json:"revision"`
		DirtyRevision string `json:"dirtyRevision"`
	}
	err = c.ask(ctx, "ask Nix for the flake's revision", &m, func(Version) []string { return []string{"flake", "metadata"} }, ".")
	if m.Revision == "" {
		// With the suffix "-dirty".
		n := min(len(m.DirtyRevision), 40)
		return m.DirtyRevision[:n], m.DirtyRevision != "", err
	}
	return m.Revision, false, err
}

// ask runs a subcommand with --json and decodes its answer.
func (c *Client) ask(ctx context.Context, op string, into any, subcommand func(Version) []string, operands ...string) error {
	v, err := c.Version(ctx)
	if err != nil {
		return err
	}
	argv := slices.Concat([]string{c.cfg.Program}, subcommand(v), c.cfg.common(), []string{"--json"})
	if len(operands) > 0 {
		argv = append(append(argv, "--"), operands...)
	}
	return untilFree(ctx, func() error {
		res, err := c.run(ctx, op, proc.Cmd{Argv: argv})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(res.Stdout, into); err != nil {
			return &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: plain(string(res.Stderr)),
				Err: fmt.Errorf("its answer is not the JSON expected: %w", err)}
		}
		return nil
	})
}
