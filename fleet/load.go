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
	Defaults struct {
		User       string   `toml:"user"`
		Port       int      `toml:"port"`
		Tags       []string `toml:"tags"`
		SSHOptions []string `toml:"ssh-options"`
	} `toml:"defaults"`
	Hosts  map[string]fileHost `toml:"hosts"`
	Limits Limits              `toml:"limits"`
	SSH    struct {
		ConnectTimeout duration `toml:"connect-timeout"`
		Persist        duration `toml:"persist"`
		HostKeys       string   `toml:"host-keys"`
		Config         string   `toml:"config"`
	} `toml:"ssh"`
}

type fileHost struct {
	Attr        string   `toml:"attr"`
	Address     string   `toml:"address"`
	User        string   `toml:"user"`
	Port        int      `toml:"port"`
	SSHOptions  []string `toml:"ssh-options"`
	Tags        []string `toml:"tags"`
	Description string   `toml:"description"`
}

type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as \"10s\" or \"5m\"", text)
	}
	*d = duration(v)
	return nil
}

// Load reads fleet.toml in dir or the nearest directory above it that has one,
// and checks all of it. It contacts nothing. Every error is a *ConfigError;
// several problems are joined, and errors.As finds the first.
func Load(dir string) (*Inventory, error) {
	path, err := find(dir)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &ConfigError{File: path, Problem: "cannot be read: " + err.Error(), Err: err}
	}
	inv, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(inv.Dir, "flake.nix")); err != nil {
		return nil, &ConfigError{File: filepath.Join(inv.Dir, "flake.nix"), Problem: "there is no flake beside " + FileName,
			Help: "put " + FileName + " into the directory of your flake.nix", Err: err}
	}
	return inv, nil
}

func find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", &ConfigError{File: dir, Problem: err.Error(), Err: err}
	}
	for at := start; ; at = filepath.Dir(at) {
		path := filepath.Join(at, FileName)
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", &ConfigError{File: path, Problem: "cannot be read: " + err.Error(), Err: err}
		}
		if at == filepath.Dir(at) {
			return "", &ConfigError{File: filepath.Join(start, FileName), Problem: "not found here or in any directory above",
				Help: "run this in your flake's directory, with a " + FileName + " that names your hosts", Err: err}
		}
	}
}

// parse turns the text of fleet.toml into an inventory.
func parse(path string, data []byte) (*Inventory, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, decodeError(path, err)
	}
	keys := locate(data)
	bad := func(problem, help string, key ...string) error {
		return &ConfigError{File: path, Line: keys.line(key...), Problem: problem, Help: help}
	}

	inv := &Inventory{Name: f.Fleet.Name, Dir: filepath.Dir(path), Limits: f.Limits, SSH: SSH{
		ConnectTimeout: time.Duration(f.SSH.ConnectTimeout),
		Persist:        time.Duration(f.SSH.Persist),
		ConfigFile:     f.SSH.Config,
	}}
	if inv.SSH.Persist == 0 && keys.line("ssh", "persist") > 0 {
		inv.SSH.Persist = -1
	}
	if inv.SSH.ConfigFile != "" && !filepath.IsAbs(inv.SSH.ConfigFile) {
		inv.SSH.ConfigFile = filepath.Join(inv.Dir, inv.SSH.ConfigFile)
	}
	var errs []error
	if f.SSH.ConnectTimeout < 0 {
		errs = append(errs, bad("connect-timeout is negative", "", "ssh", "connect-timeout"))
	}
	switch f.SSH.HostKeys {
	case "", "strict":
	case "accept-new":
		inv.SSH.AcceptNewHostKeys = true
	default:
		errs = append(errs, bad(fmt.Sprintf("host-keys is %q", f.SSH.HostKeys), `use "strict" or "accept-new"`, "ssh", "host-keys"))
	}
	for name, n := range map[string]int{"evaluations": f.Limits.Evaluations, "builds": f.Limits.Builds,
		"copies": f.Limits.Copies, "activations": f.Limits.Activations, "sessions": f.Limits.Sessions} {
		if n < 0 || n == 0 && keys.line("limits", name) > 0 {
			errs = append(errs, bad(fmt.Sprintf("limits.%s is %d", name, n), "use a whole number above 0, or leave it out", "limits", name))
		}
	}
	for _, name := range keys.children("hosts") {
		fh := f.Hosts[name]
		h := Host{
			Name: name, Attr: or(fh.Attr, name), Address: or(unbracketed(fh.Address), name),
			User: or(fh.User, f.Defaults.User), Port: or(fh.Port, f.Defaults.Port),
			SSHOptions:  slices.Concat(f.Defaults.SSHOptions, fh.SSHOptions),
			Tags:        slices.Concat(f.Defaults.Tags, fh.Tags),
			Description: fh.Description,
		}
		for _, p := range h.problems() {
			errs = append(errs, bad(fmt.Sprintf("host %q: %s", name, p.text), p.help, keys.nearest("hosts", name, p.key)...))
		}
		if other := sameMachine(inv.Hosts, h); other != "" {
			errs = append(errs, bad(fmt.Sprintf("host %q is the same machine as %q: address, port and ssh-options are equal", name, other),
				"leave one of them out", keys.nearest("hosts", name, "address")...))
		}
		inv.Hosts = append(inv.Hosts, h)
	}
	if len(inv.Hosts) == 0 && len(errs) == 0 {
		errs = append(errs, &ConfigError{File: path, Problem: "names no hosts", Help: "add a [hosts.NAME] section for each"})
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

// decodeError turns go-toml's errors into ours, unknown keys with the nearest
// valid spelling.
func decodeError(path string, err error) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		var errs []error
		for i := range missing.Errors {
			e := &missing.Errors[i]
			line, _ := e.Position()
			key := firstUnknown(e.Key())
			errs = append(errs, &ConfigError{File: path, Line: line, Problem: fmt.Sprintf("unknown key %q", strings.Join(key, ".")),
				Help: didYouMean(key[len(key)-1], knownKeys(key)), Err: e})
		}
		return errors.Join(errs...)
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		return &ConfigError{File: path, Line: line, Problem: strings.TrimPrefix(de.Error(), "toml: "), Err: err}
	}
	return &ConfigError{File: path, Problem: err.Error(), Err: err}
}
