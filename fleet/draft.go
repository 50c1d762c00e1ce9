package fleet

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Draft is a fleet.toml for the flake's nixosConfigurations, with comments on the
// keys that are set first. Errors are those of nixcmd.Client.AttrNames, and a
// *ConfigError if the flake has no hosts.
func (f *Fleet) Draft(ctx context.Context) (text string, hosts []string, err error) {
	names, err := f.configurations(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(names) == 0 {
		return "", nil, &ConfigError{File: filepath.Join(f.Inventory.Dir, flakeName), Problem: "nixosConfigurations is empty", Help: "add a host to it"}
	}
	text, hosts = draft(filepath.Base(f.Inventory.Dir), names)
	return text, hosts, nil
}

const draftHead = `# The hosts of this flake, and how they are reached. Every key has a default.

[fleet]
name = %s

[defaults]
# root, or a user with passwordless sudo who is one of Nix's trusted-users.
# Left out, ssh decides.
# user = "root"

# Record the keys of hosts never seen before, instead of refusing them.
# [ssh]
# host-keys = "accept-new"

# The fleet's own binary cache, for deployCached.
# [cache]
# url = "http://cache:5000"
# public-key = "cache-1:…"
`

// draft is the text for the flake's configurations, and the hosts' names in it.
func draft(fleet string, configurations []string) (text string, hosts []string) {
	var b strings.Builder
	fmt.Fprintf(&b, draftHead, tomlText(fleet))
	taken := map[string]bool{}
	for _, attr := range configurations {
		h := fileDefaults{}.host(attr, fileHost{})
		h.Name = hostName(attr, taken)
		h.Address = h.Name
		if ps := h.problems(); len(ps) > 0 {
			fmt.Fprintf(&b, "\n# nixosConfigurations has a host that cannot be listed: %s\n", oneComment(ps[0].text))
			continue
		}
		taken[h.Name] = true
		hosts = append(hosts, h.Name)
		fmt.Fprintf(&b, "\n[hosts.%s]\n", tomlKey(h.Name))
		if h.Attr != h.Name {
			fmt.Fprintf(&b, "attr = %s\n", tomlText(h.Attr))
		}
		fmt.Fprintf(&b, "address = %s\n", tomlText(h.Address))
		if len(hosts) == 1 {
			b.WriteString("# user = \"admin\"\n# port = 22\n# tags = [\"server\"]\n# description = \"what it is\"\n")
		}
	}
	return b.String(), hosts
}

// hostName is a host's name for a configuration: the same where it can be, and
// none that is taken.
func hostName(attr string, taken map[string]bool) string {
	name := strings.Map(func(r rune) rune {
		if isWord("a"+string(r), "-_.") {
			return r
		}
		return '-'
	}, attr)
	if !isWord(name, "-_.") {
		name = "host" + name
	}
	for base, n := name, 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// tomlText is a basic string of TOML 1.0.
func tomlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// tomlKey is a key, quoted only where it must be.
func tomlKey(s string) string {
	if strings.Contains(s, ".") {
		return tomlText(s)
	}
	return s
}

// oneComment is text that a comment can hold.
func oneComment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
