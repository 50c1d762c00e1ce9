package fleet

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
)

// Builder is a machine that builds for hosts whose BuildHost is BuildOnBuilders.
type Builder struct {
	// Host is how it is reached. Its Name may be that of a host of the inventory.
	Host Host
	// Systems are the platforms it builds for, such as "x86_64-linux"; nil means what its own
	// Nix says.
	Systems []string
	// MaxJobs is how many derivations it takes at once, over all runs on this machine; 0
	// means what its own Nix says, at most mostJobs.
	MaxJobs int
	// SpeedFactor is how fast it is beside the others; 0 means 1. Nix divides its load by it.
	SpeedFactor int
	// SupportedFeatures are what derivations may require of it (requiredSystemFeatures); nil
	// means what its own Nix says. MandatoryFeatures keep away those that do not require all
	// of them.
	SupportedFeatures, MandatoryFeatures []string
	// SSHKey is the file of a private key with which this machine's Nix daemon logs in to it;
	// empty leaves that to the ssh_config of root. PublicHostKey is its host key in base64,
	// which then counts instead of root's known_hosts. Where Nix builds without a daemon, and
	// over Flotilla's connections, neither is used.
	SSHKey, PublicHostKey string
}

// fileBuilder is a section of [builders] as it is written.
type fileBuilder struct {
	Address    string   `toml:"address"`
	User       string   `toml:"user"`
	Port       int      `toml:"port"`
	SSHOptions []string `toml:"ssh-options"`

	Systems           []string `toml:"systems"`
	MaxJobs           int      `toml:"max-jobs"`
	SpeedFactor       int      `toml:"speed-factor"`
	SupportedFeatures []string `toml:"supported-features"`
	MandatoryFeatures []string `toml:"mandatory-features"`
	SSHKey            string   `toml:"ssh-key"`
	PublicHostKey     string   `toml:"public-host-key"`
}

// builder is what a section says. What it leaves out of how to get there is as for the host
// of that name.
func (f fileBuilder) builder(inv *Inventory, name string) Builder {
	h, ok := inv.Host(name)
	if !ok {
		h = inv.defaults.host(name, fileHost{})
	}
	h.Address, h.User, h.Port = or(unbracketed(f.Address), h.Address), or(f.User, h.User), or(f.Port, h.Port)
	if f.SSHOptions != nil {
		h.SSHOptions = f.SSHOptions
	}
	return Builder{
		Host: h, Systems: f.Systems, MaxJobs: f.MaxJobs, SpeedFactor: f.SpeedFactor,
		SupportedFeatures: f.SupportedFeatures, MandatoryFeatures: f.MandatoryFeatures,
		SSHKey: f.SSHKey, PublicHostKey: f.PublicHostKey,
	}
}

// problems are what is wrong with a builder beyond what is wrong with a host.
func (b Builder) problems() []problem {
	var ps []problem
	add := func(key, text, help string) { ps = append(ps, problem{key, text, help}) }
	for _, s := range b.Systems {
		if cpu, os, ok := strings.Cut(s, "-"); !ok || !isWord(cpu, "_") || !isWord(os, "-_") {
			add("systems", fmt.Sprintf("%q is not a system", s), `write it as "x86_64-linux"`)
		}
	}
	for key, features := range map[string][]string{"supported-features": b.SupportedFeatures, "mandatory-features": b.MandatoryFeatures} {
		for _, f := range features {
			if !isWord(f, "-_.") {
				add(key, fmt.Sprintf("%q is not a feature", f), `such as "kvm" or "big-parallel"`)
			}
		}
	}
	if b.SSHKey != "" && (!filepath.IsAbs(b.SSHKey) || strings.ContainsAny(b.SSHKey, " \t;#\"") || hasControl(b.SSHKey)) {
		add("ssh-key", fmt.Sprintf("ssh-key %q is not an absolute path without blanks", b.SSHKey), "it is read by root")
	}
	if _, err := base64.StdEncoding.DecodeString(b.PublicHostKey); err != nil {
		add("public-host-key", "public-host-key is not base64", "it is what `base64 -w0 /etc/ssh/ssh_host_ed25519_key.pub` prints there")
	}
	return ps
}

// builders is what [builders] says, in the order of the file.
func (f file) builders(r *reader, inv *Inventory) []Builder {
	var all []Builder
	for _, name := range r.keys.children("builders") {
		at := func(key string) []string { return r.keys.nearest("builders", name, key) }
		b := f.Builders[name].builder(inv, name)
		for _, p := range append(b.Host.problems(), b.problems()...) {
			if key := at(p.key); len(key) > 2 || p.key == "" {
				r.bad(fmt.Sprintf("builder %q: %s", name, p.text), p.help, key...)
			}
		}
		for key, n := range map[string]int{"max-jobs": b.MaxJobs, "speed-factor": b.SpeedFactor} {
			if n < 0 || n == 0 && r.keys.line("builders", name, key) > 0 {
				r.bad(fmt.Sprintf("builder %q: %s is %d", name, key, n), "use a whole number above 0, or leave it out", "builders", name, key)
			}
		}
		all = append(all, b)
	}
	return all
}
