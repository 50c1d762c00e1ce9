package recipes

import (
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/fleet"
)

func TestNamed(t *testing.T) {
	for selector, bad := range map[string]bool{"razer": false, "*": false, "!p620": false, "@laptop": false, "a,b": false, "": true, " ": true, "-h": true, "--help": true, "-dry": true} {
		if err := named(selector); (err != nil) != bad {
			t.Errorf("%q: %v", selector, err)
		}
	}
}

func TestStrayWords(t *testing.T) {
	inv := &fleet.Inventory{Hosts: []fleet.Host{{Name: "razer"}, {Name: "p620"}}}
	for _, c := range []struct {
		words    []string
		selector string
		bad      bool
	}{
		{[]string{"plan"}, everyone, false},
		{[]string{"plan", "razer"}, everyone, true},
		{[]string{"status", "RAZER"}, everyone, true},
		{[]string{"plan", "razer"}, "p620", false},
		{[]string{"quickDeploy", "*"}, everyone, false},
		{[]string{"plan", "status"}, everyone, false},
		{[]string{"quickDeploy", "razer", "plan"}, everyone, false},
	} {
		if err := strayHost(c.words, c.selector, inv); (err != nil) != c.bad {
			t.Errorf("%v for %s: %v", c.words, c.selector, err)
		}
	}
	for _, c := range []struct {
		words    []string
		selector string
		bad      bool
	}{
		{[]string{"watch"}, everyone, false},
		{[]string{"status", "fleet:Watch"}, everyone, false},
		{[]string{"watch", "nosuch"}, everyone, true},
		{[]string{"watch", "nosuch"}, "razer", true},
		{[]string{"status", "fleet:Watch", "plan"}, everyone, true},
		{[]string{"watch", "@laptop"}, "@laptop", false}, // a target that takes it and calls Watch
		{[]string{"dwatch", "plan"}, everyone, false},
	} {
		if err := strayAfterWatch(c.words, c.selector); (err != nil) != c.bad {
			t.Errorf("%v for %s: %v", c.words, c.selector, err)
		}
	}
	for _, c := range []struct {
		words []string
		bad   bool
	}{
		{[]string{"rollback", "razer"}, false},
		{[]string{"rollback", "razer", "status"}, false},
		{[]string{"rollback", "razer", ""}, true},
		{[]string{"rollback", "p620", "7"}, false},
		{[]string{"rollback", "razer", "7"}, true},
		{[]string{"fleet:Rollback", "razer", "/nix/store/x"}, true},
		{[]string{"status", "rollback", "razer", "12"}, true},
	} {
		if err := strayGeneration(c.words, "razer"); (err != nil) != c.bad {
			t.Errorf("%v: %v", c.words, err)
		}
	}
	for _, c := range []struct {
		words []string
		bad   bool
	}{
		{[]string{"razer"}, false},
		{[]string{"Razer"}, false},
		{[]string{"deploy", "razer"}, false},
		{[]string{"home"}, false}, // a target that calls Deploy
		{[]string{"status", "razer"}, true},
		{[]string{"deploy", "p620", "razer"}, true},
		{[]string{"p620", "razer"}, false},
	} {
		if err := strayTarget(c.words, "razer", inv); (err != nil) != c.bad {
			t.Errorf("%v: %v", c.words, err)
		}
	}
}

func TestAffectedWithoutRevision(t *testing.T) {
	for line, want := range map[string]string{
		"mage":                      "mage",
		"mage affected":             "mage affected HEAD",
		"mage Affected -json":       "mage Affected HEAD -json",
		"mage f:affected -on=razer": "mage f:affected HEAD -on=razer",
		"mage affected main":        "mage affected main",
		"mage affected --":          "mage affected --",
		"mage -h affected":          "mage -h affected",
		"mage deploy affected":      "mage deploy affected",
	} {
		if got := strings.Join(withRevision(strings.Fields(line)), " "); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}
