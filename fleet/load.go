package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// FileName is the inventory's name, beside flake.nix.
const FileName = "fleet.toml"

const flakeName = "flake.nix"

// ConfigError says what is wrong with the inventory, where, and what to do.
type ConfigError struct {
	// File is the path of the file in question.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Problem is one sentence; Help is what to do about it, or empty.
	Problem, Help string
	// Err is the cause, if there is one.
	Err error
}

// Error gives file, line, problem and help on one line.
func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + e.Problem)
	if e.Help != "" {
		b.WriteString("; " + e.Help)
	}
	return b.String()
}

// Unwrap returns the cause, if there is one.
func (e *ConfigError) Unwrap() error { return e.Err }

// file is fleet.toml as it is written.
type file struct {
	Fleet struct {
		Name string `toml:"name"`
	} `toml:"fleet"`
	Defaults fileDefaults        `toml:"defaults"`
	Hosts    map[string]fileHost `toml:"hosts"`
	Limits   fileLimits          `toml:"limits"`
	Cache    fileCache           `toml:"cache"`
	// Builders are sections by the builder's name.
	Builders map[string]fileBuilder `toml:"builders"`
	SSH      struct {
		ConnectTimeout duration `toml:"connect-timeout"`
		Persist        duration `toml:"persist"`
		HostKeys       string   `toml:"host-keys"`
		Config         string   `toml:"config"`
	} `toml:"ssh"`
	Health  fileHealth  `toml:"health"`
	Rollout fileRollout `toml:"rollout"`
	Reboot  fileReboot  `toml:"reboot"`

	Activation fileActivation `toml:"activation"`
	Metrics    fileMetrics    `toml:"metrics"`
}

type fileDefaults struct {
	User       string   `toml:"user"`
	Port       int      `toml:"port"`
	Tags       []string `toml:"tags"`
	SSHOptions []string `toml:"ssh-options"`
	Become     Become   `toml:"become"`
	BuildHost  string   `toml:"build-host"`
	Substitute *bool    `toml:"substitute-on-target"`
}

// host is the host of that name, with what its section says and the defaults.
func (d fileDefaults) host(name string, h fileHost) Host {
	return Host{
		Name: name, Attr: or(h.Attr, name), Address: or(unbracketed(h.Address), name),
		User: or(h.User, d.User), Port: or(h.Port, d.Port),
		SSHOptions:  slices.Concat(d.SSHOptions, h.SSHOptions),
		Tags:        slices.Concat(d.Tags, h.Tags),
		Description: h.Description,
		Become:      or(h.Become, d.Become),
		BuildHost:   or(h.BuildHost, d.BuildHost),

		SubstituteOnTarget: isTrue(or(h.Substitute, d.Substitute)),

		Specialisation: h.Specialisation,
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

type fileHost struct {
	Attr        string   `toml:"attr"`
	Address     string   `toml:"address"`
	User        string   `toml:"user"`
	Port        int      `toml:"port"`
	SSHOptions  []string `toml:"ssh-options"`
	Tags        []string `toml:"tags"`
	Description string   `toml:"description"`
	Become      Become   `toml:"become"`
	BuildHost   string   `toml:"build-host"`
	Substitute  *bool    `toml:"substitute-on-target"`

	Specialisation string `toml:"specialisation"`
}

// fileLimits are Limits as they are written.
type fileLimits struct {
	Evaluations int  `toml:"evaluations"`
	Memory      size `toml:"memory"`
	Builds      int  `toml:"builds"`
	Copies      int  `toml:"copies"`
	Activations int  `toml:"activations"`
	Sessions    int  `toml:"sessions"`
}

// duration is a text such as "10s". A bare number, whose unit nobody could know,
// cannot be one.
type duration string

// Load reads fleet.toml in dir or the nearest directory above it that has one,
// and checks all of it. Where there is none, the nearest flake.nix counts as one
// with an empty fleet.toml beside it. It contacts nothing. Every error is a
// *ConfigError; several problems are joined, and errors.As finds the first.
func Load(dir string) (*Inventory, error) {
	path, err := find(dir)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &ConfigError{File: path, Problem: "cannot be read: " + err.Error(), Err: err}
	}
	inv, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(inv.Dir, flakeName)); err != nil {
		return nil, &ConfigError{File: filepath.Join(inv.Dir, flakeName), Problem: "there is no flake beside " + FileName,
			Help: "put " + FileName + " into the directory of your flake.nix", Err: err}
	}
	return inv, nil
}

// find returns the path of the nearest fleet.toml, or the one that could be
// beside the nearest flake.nix.
func find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", &ConfigError{File: dir, Problem: err.Error(), Err: err}
	}
	if _, err := os.Stat(start); err != nil {
		return "", &ConfigError{File: start, Problem: "cannot be read: " + err.Error(), Err: err}
	}
	for _, name := range []string{FileName, flakeName} {
		for at := start; ; at = filepath.Dir(at) {
			path := filepath.Join(at, name)
			_, err := os.Stat(path)
			if err == nil {
				return filepath.Join(at, FileName), nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return "", &ConfigError{File: path, Problem: "cannot be read: " + err.Error(), Err: err}
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return "", &ConfigError{File: filepath.Join(start, FileName), Problem: "not found here or in any directory above, nor a " + flakeName,
		Help: "run this in your flake's directory"}
}

// parse turns the text of fleet.toml into an inventory.
func parse(path string, data []byte) (*Inventory, error) {
	var f file
	var errs []error
	var unknown *toml.StrictMissingError
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&f)
	switch {
	case errors.As(err, &unknown): // everything else was decoded
		errs = unknownKeys(path, unknown)
	case err != nil:
		return nil, decodeError(path, err)
	}
	keys := locate(data)
	bad := func(problem, help string, key ...string) error {
		return &ConfigError{File: path, Line: keys.line(key...), Problem: problem, Help: help}
	}

	inv := &Inventory{Name: f.Fleet.Name, Dir: filepath.Dir(path), defaults: f.Defaults, Limits: Limits{
		Evaluations: f.Limits.Evaluations, Builds: f.Limits.Builds, Copies: f.Limits.Copies,
		Activations: f.Limits.Activations, Sessions: f.Limits.Sessions,
	}, SSH: SSH{
		ConfigFile: f.SSH.Config,
	}}
	wait := func(text duration, key ...string) time.Duration {
		if keys.line(key...) == 0 {
			return 0
		}
		d, err := time.ParseDuration(string(text))
		if err != nil {
			errs = append(errs, bad(fmt.Sprintf("%s: %q is not a duration", strings.Join(key, "."), text), `write it as "10s" or "5m"`, key...))
		}
		return d
	}
	inv.SSH.ConnectTimeout = wait(f.SSH.ConnectTimeout, "ssh", "connect-timeout")
	inv.SSH.Persist = wait(f.SSH.Persist, "ssh", "persist")
	if inv.SSH.Persist == 0 && keys.line("ssh", "persist") > 0 {
		inv.SSH.Persist = -1
	}
	if inv.SSH.ConfigFile != "" && !filepath.IsAbs(inv.SSH.ConfigFile) {
		inv.SSH.ConfigFile = filepath.Join(inv.Dir, inv.SSH.ConfigFile)
	}
	if inv.SSH.ConnectTimeout < 0 {
		errs = append(errs, bad("ssh.connect-timeout is negative", "leave it out for 10 seconds", "ssh", "connect-timeout"))
	}
	switch f.SSH.HostKeys {
	case "", "strict":
	case "accept-new":
		inv.SSH.AcceptNewHostKeys = true
	default:
		errs = append(errs, bad(fmt.Sprintf("ssh.host-keys is %q", f.SSH.HostKeys), `use "strict" or "accept-new"`, "ssh", "host-keys"))
	}
	for name, n := range map[string]int{"evaluations": f.Limits.Evaluations, "builds": f.Limits.Builds,
		"copies": f.Limits.Copies, "activations": f.Limits.Activations, "sessions": f.Limits.Sessions} {
		if n < 0 || n == 0 && keys.line("limits", name) > 0 {
			errs = append(errs, bad(fmt.Sprintf("limits.%s is %d", name, n), "use a whole number above 0, or leave it out", "limits", name))
		}
	}
	if keys.line("limits", "memory") > 0 {
		var ok bool
		if inv.Limits.Memory, ok = f.Limits.Memory.bytes(); !ok {
			errs = append(errs, bad(fmt.Sprintf("limits.memory: %q is not a size above 0", f.Limits.Memory), `write it as "512MiB" or "4GiB"`, "limits", "memory"))
		}
	}
	// With a harmless name, for what is wrong with the defaults alone.
	inherited := f.Defaults.host("host", fileHost{}).problems()
	for _, p := range inherited {
		errs = append(errs, bad("defaults: "+p.text, p.help, keys.nearest("defaults", p.key)...))
	}
	for _, name := range keys.children("hosts") {
		h := f.Defaults.host(name, f.Hosts[name])
		for _, p := range h.problems() {
			if !slices.Contains(inherited, p) {
				errs = append(errs, bad(fmt.Sprintf("host %q: %s", name, p.text), p.help, keys.nearest("hosts", name, p.key)...))
			}
		}
		if other := sameMachine(inv.Hosts, h); other != "" {
			errs = append(errs, bad(fmt.Sprintf("host %q is the same machine as %q: address, port and ssh-options are equal", name, other),
				"leave one of them out", keys.nearest("hosts", name, "address")...))
		}
		inv.Hosts = append(inv.Hosts, h)
	}
	errs = append(errs, inv.noBuildHosts(keys, bad)...)
	r := &reader{path: path, keys: keys}
	inv.Health, inv.Rollout = f.Health.health(r), f.Rollout.rollout(r)
	inv.Reboot = f.Reboot.reboot(r)
	inv.Activation = f.Activation.activation(r)
	inv.Cache = f.Cache.cache(r, inv.Dir)
	inv.Metrics = f.Metrics.metrics(r, inv.Dir)
	inv.Builders = f.builders(r, inv)
	errs = append(errs, r.errs...)
	if len(inv.Hosts) > 0 {
		errs = append(errs, inv.checkSelectors()...)
	}
	sortByLine(errs)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return inv, nil
}

// unbracketed is an IPv6 address as ssh wants it.
func unbracketed(address string) string {
	if inner, ok := strings.CutPrefix(address, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]")
	}
	return address
}

// sameMachine names the host that is reached exactly as h is, or none.
func sameMachine(hosts []Host, h Host) string {
	for _, o := range hosts {
		if o.Address == h.Address && o.Port == h.Port && slices.Equal(o.SSHOptions, h.SSHOptions) {
			return o.Name
		}
	}
	return ""
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func sortByLine(errs []error) {
	slices.SortStableFunc(errs, func(a, b error) int { return lineOf(a) - lineOf(b) })
}

func lineOf(err error) int {
	var ce *ConfigError
	if errors.As(err, &ce) {
		return ce.Line
	}
	return 0
}

// unknownKeys are the errors for keys that mean nothing, each with the nearest
// valid spelling.
func unknownKeys(path string, missing *toml.StrictMissingError) []error {
	var errs []error
	for i := range missing.Errors {
		e := &missing.Errors[i]
		line, _ := e.Position()
		key := firstUnknown(e.Key())
		errs = append(errs, &ConfigError{File: path, Line: line, Problem: fmt.Sprintf("unknown key %q", strings.Join(key, ".")),
			Help: didYouMean(key[len(key)-1], knownKeys(key)), Err: e})
	}
	return errs
}

// decodeError turns go-toml's errors into ours.
func decodeError(path string, err error) error {
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		return &ConfigError{File: path, Problem: strings.TrimPrefix(err.Error(), "toml: "), Err: err}
	}
	line, _ := de.Position()
	problem := strings.TrimPrefix(de.Error(), "toml: ")
	key := strings.Join(de.Key(), ".")
	// go-toml tells of Go's types and fields, which nobody who writes a file knows.
	wanted := kindOf(de.Key())
	switch mismatch := strings.HasPrefix(problem, "cannot decode TOML ") || strings.HasPrefix(problem, "cannot store "); {
	case mismatch && wanted != "":
		problem = fmt.Sprintf("%s must be %s", key, wanted)
	case key != "":
		problem = key + ": " + problem
	}
	return &ConfigError{File: path, Line: line, Problem: problem, Err: err}
}
