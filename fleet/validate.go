package fleet

import (
	"fmt"
	"net/netip"
	"strings"
)

// problem is one thing wrong with a host, and the key of fleet.toml it stands in.
type problem struct{ key, text, help string }

// problems checks everything that later becomes part of a command, so that no
// name, address or option can be anything but itself.
func (h Host) problems() []problem {
	var ps []problem
	add := func(key, text, help string) { ps = append(ps, problem{key, text, help}) }

	if !isWord(h.Name, "-_.") {
		add("", "the name may hold only letters, digits, '-', '_' and '.', and starts with a letter or digit", "set attr for the name in the flake")
	}
	if h.Attr == "" || strings.ContainsAny(h.Attr, "\"\\^$") || hasControl(h.Attr) {
		add("attr", fmt.Sprintf("attr %q cannot be written in a flake reference", h.Attr), "")
	}
	if _, err := netip.ParseAddr(h.Address); err != nil && !isWord(h.Address, "-_.") {
		add("address", fmt.Sprintf("address %q is not a host name, an IP address or an ssh alias", h.Address), "user and port have keys of their own")
	}
	if h.User != "" && !isWord(h.User, "-_.") {
		add("user", fmt.Sprintf("user %q is not a user name", h.User), "")
	}
	if h.Port < 0 || h.Port > 65535 {
		add("port", fmt.Sprintf("port %d is out of range", h.Port), "use 1 to 65535")
	}
	for _, o := range h.SSHOptions {
		if key, value, ok := strings.Cut(o, "="); !ok || !isWord(key, "") || value == "" || hasControl(value) {
			add("ssh-options", fmt.Sprintf("ssh option %q is not of the form KEY=VALUE", o), "see ssh_config(5)")
		}
	}
	if !h.Become.known() {
		add("become", fmt.Sprintf("become %q is no way of becoming root", h.Become), didYouMean(string(h.Become), ways()))
	}
	if h.BuildHost != "" && !isWord(h.BuildHost, "-_.") {
		add("build-host", fmt.Sprintf("build-host %q is not a host's name", h.BuildHost), `use "here", "target", "builders" or the name of a host of the fleet`)
	}
	if h.Specialisation != "" && !isSpecialisation(h.Specialisation) {
		add("specialisation", fmt.Sprintf("%q cannot be the name of a specialisation", h.Specialisation), "leave it out for the system itself")
	}
	for _, t := range h.Tags {
		if !isWord(t, "-_.") {
			add("tags", fmt.Sprintf("tag %q may hold only letters, digits, '-', '_' and '.'", t), "")
		}
	}
	return ps
}

// isWord reports whether s is made of ASCII letters, digits and the extra
// characters, and starts with a letter, a digit or '_'.
func isWord(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if alnum {
			continue
		}
		if !strings.ContainsRune(extra, rune(c)) || i == 0 && c != '_' {
			return false
		}
	}
	return s != ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
