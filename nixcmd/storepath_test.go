package nixcmd

import (
	"regexp"
	"strings"
	"testing"
)

const somePath = "/nix/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-bash-5.2-man"

func TestParseStorePath(t *testing.T) {
	p, err := ParseStorePath(somePath)
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash() != "8ic66wwxg6vbrah2z0c7rcyipmnbbxnn" || p.Name() != "bash-5.2-man" {
		t.Errorf("hash %q, name %q", p.Hash(), p.Name())
	}
	const hash = "/nix/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-"
	if _, err := ParseStorePath(hash + strings.Repeat("a", 211)); err != nil {
		t.Errorf("the longest name: %v", err)
	}
	for _, bad := range []string{
		"", "/nix/store", "/nix/store/", "/nix/store/x", hash, hash + ".hidden", hash + "a b", hash + "a/b",
		hash + "a\n", "\n" + hash + "a", hash + "a;b", hash + "a$b", hash + "ä", hash + "a^out", hash + "a%20",
		hash + strings.Repeat("a", 212), "nix/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-a",
		"/nix/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxne-a", "/nix/store/8IC66wwxg6vbrah2z0c7rcyipmnbbxnn-a",
		"/gnu/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-a", "/nix/store/../8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-a",
	} {
		if p, err := ParseStorePath(bad); err == nil || p != "" {
			t.Errorf("%q was accepted", bad)
		}
	}
	var none StorePath
	if name, version := none.Package(); none.Hash()+none.Name()+name+version != "" {
		t.Error("the zero value has parts")
	}
}

func TestPackage(t *testing.T) {
	for _, c := range []struct{ name, pkg, version string }{
		{"bash-5.2p37", "bash", "5.2p37"},
		{"bash-5.2p37-man", "bash", "5.2p37"},
		{"xgcc-13.2.0-libgcc", "xgcc", "13.2.0"},
		{"firefox-bin-120.0", "firefox-bin", "120.0"},
		{"firefox-bin", "firefox-bin", ""},
		{"etc", "etc", ""},
		{"nixos-system-web-26.05.20260102.1a2b3c4", "nixos-system-web", "26.05.20260102.1a2b3c4"},
		{"foo-0-unstable-2024-01-01", "foo", "0-unstable-2024-01-01"},
		{"glibc-2.40-66.drv", "glibc", "2.40-66"},
		{"linux-6.12.9-modules", "linux", "6.12.9-modules"},
		{"a-", "a-", ""},
		{"a--dev", "a", "-dev"},
	} {
		p := StorePath(StoreDir + "/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-" + c.name)
		if pkg, version := p.Package(); pkg != c.pkg || version != c.version {
			t.Errorf("%s: package %q version %q", c.name, pkg, version)
		}
	}
}

func FuzzParseStorePath(f *testing.F) {
	f.Add(somePath)
	f.Add(somePath + "\n")
	f.Add("--help")
	// The manual's own words, as a regular expression.
	want := regexp.MustCompile(`\A/nix/store/[0-9a-df-np-sv-z]{32}-[0-9a-zA-Z+\-_?=][0-9a-zA-Z+\-._?=]{0,210}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseStorePath(s)
		if (err == nil) != want.MatchString(s) {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && string(p) != StoreDir+"/"+p.Hash()+"-"+p.Name() {
			t.Fatalf("%q falls into %q and %q", s, p.Hash(), p.Name())
		}
		name, version := StorePath(s).Package()
		if len(name)+len(version) > len(s) {
			t.Fatalf("%q: package %q version %q", s, name, version)
		}
	})
}
