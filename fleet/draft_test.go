package fleet

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDraft(t *testing.T) {
	text, hosts := draft("homelab", []string{"a b", "a-b", "p620", "x.y", "^"})
	if want := []string{"a-b", "a-b-2", "p620", "x.y"}; !slices.Equal(hosts, want) {
		t.Errorf("hosts %q\n%s", hosts, text)
	}
	for _, want := range []string{
		"[fleet]\nname = \"homelab\"\n", "\n[hosts.a-b]\nattr = \"a b\"\naddress = \"a-b\"\n", "\n[hosts.p620]\naddress = \"p620\"\n",
		"\n[hosts.\"x.y\"]\naddress = \"x.y\"\n", "cannot be listed: attr \"^\"",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// The examples are right too.
	text = strings.NewReplacer("# user", "user", "# port", "port", "# tags", "tags", "# description", "description", "# [ssh]", "[ssh]", "# host-keys", "host-keys").Replace(text)
	inv, err := parse("/fleet.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if h := inv.Hosts[0]; h.User != "admin" || h.Port != 22 || !h.HasTag("server") || h.Attr != "a b" || inv.Hosts[2].User != "root" {
		t.Errorf("%+v", inv.Hosts)
	}
}

// Whatever the configurations are called, the draft loads, and has a host for
// each that can have one.
func TestDraftProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attrs := rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringMatching(`[a-c.-]{1,3}`), rapid.StringN(1, 8, -1)), 1, 8, rapid.ID[string]).Draw(t, "attrs")
		text, hosts := draft(rapid.String().Draw(t, "fleet"), attrs)
		inv, err := parse("/fleet.toml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(inv.Hosts) != len(hosts) {
			t.Fatalf("%d hosts, want %q\n%s", len(inv.Hosts), hosts, text)
		}
		for _, h := range inv.Hosts {
			if !slices.Contains(attrs, h.Attr) {
				t.Fatalf("%q is no configuration", h.Attr)
			}
		}
	})
}
