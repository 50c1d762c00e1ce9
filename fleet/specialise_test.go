package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/nixcmd"
)

const variant = nixcmd.StorePath("/nix/store/11111111111111111111111111111112-nixos-system-new")

// What a host runs may be a specialisation of what it boots, which is as good as
// wanted if it is the wanted one, and else is not.
func TestDecideSpecialisation(t *testing.T) {
	on := Survey{Current: variant, Profile: newSystem, Specialisations: []string{"on-the-go", "same"}}
	itself := Survey{Current: newSystem, Profile: newSystem}
	for _, c := range []struct {
		survey Survey
		wanted nixcmd.StorePath
		name   string
		deploy bool
		says   string
	}{
		{on, newSystem, "on-the-go", false, "it already runs specialisation on-the-go of 1111111-new, which it boots"},
		{on, newSystem, "same", false, "it already runs specialisation same of 1111111-new"},
		{on, newSystem, "", true, "it runs specialisation on-the-go of 1111111-new, wanted is 1111111-new"},
		{on, newSystem, "other", true, "wanted is specialisation other of 1111111-new"},
		{on, oldSystem, "on-the-go", true, "wanted is specialisation on-the-go of 0000000-old"},
		{itself, newSystem, "on-the-go", true, "it runs 1111111-new, wanted is specialisation on-the-go of 1111111-new"},
		{itself, newSystem, "", false, "it already runs and boots 1111111-new"},
	} {
		p := decide(c.survey, c.wanted, c.name, false)
		if p.Deploy != c.deploy || !strings.Contains(p.Reason, c.says) {
			t.Errorf("%+v wants %q of %s: %+v", c.survey, c.name, short(c.wanted), p)
		}
		if forced := decide(c.survey, c.wanted, c.name, true); !forced.Deploy {
			t.Errorf("%+v: not forced", c.survey)
		}
	}
}

// A host on a specialisation waits for a reboot only if what it boots does.
func TestRebootOfASpecialisation(t *testing.T) {
	survey := func(names, live, boots string) []string {
		text := "flotilla-survey 1\nspecialisations " + names + "\nbooted-system/kernel-params a\ncurrent-system/kernel-params " + live + "\nsystem/kernel-params " + boots + "\nend ok\n"
		s, err := parseSurvey(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.RebootPending
	}
	for _, c := range []struct {
		names, live, boots string
		pending            bool
	}{{"", "a", "", false}, {"", "b", "", true}, {"/x", "b", "a", false}, {"/x", "b", "b", true}, {"/x", "a", "b", false}} {
		if got := survey(c.names, c.live, c.boots); (got != nil) != c.pending {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for active, want := range map[string]bool{"": true, "active/kernel k\nactive/kernel-params a\n": false, "active/kernel k\nactive/kernel-params b\n": true} {
		a, err := parseAnswer("booted/kernel k\nbooted/kernel-params a\nnext/kernel k\nnext/kernel-params c\n" + active + "end ok\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := (&unitEnd{answer: a}).rebootChanges(); (got != nil) != want {
			t.Errorf("%q: %v", active, got)
		}
	}
}

// Rolling back from a specialisation goes to the system before the one it is of, and
// from one of an older generation to that.
func TestRollbackOfASpecialisation(t *testing.T) {
	is := func(live string, profile int) (Survey, profileHistory) {
		s, h := parsedHistory(t, "abc", profile, live, "")
		for i, special := range []string{"x", "y", "z"} {
			h.all[i].specialisations = map[string]nixcmd.StorePath{"go": systemPath(special)}
		}
		if live == "xyz"[profile-1:profile] {
			s.Specialisations = []string{"go"}
		}
		return s, h
	}
	for _, c := range []struct {
		live    string
		profile int
		want    int
	}{{"z", 3, 2}, {"y", 2, 1}, {"y", 3, 2}, {"x", 3, 1}, {"q", 3, 3}, {"c", 3, 2}} {
		s, h := is(c.live, c.profile)
		g, err := h.target(s, "")
		if err != nil || g.Number != c.want {
			t.Errorf("%+v: %d, %v", c, g.Number, err)
		}
	}
	s, h := is("y", 3)
	if text := h.text(s); !strings.Contains(text, "runs 2 as go; boots 3") {
		t.Error(text)
	}
	j := &job{fleet: &Fleet{}, host: Host{Specialisation: "gone"}}
	at := surveyed{eval: nixcmd.Evaluation{Toplevel: h.all[0].Path}}
	if err := j.specialiseGeneration(&at, h.all[0], nil); err != nil || at.active() != h.all[0].Path {
		t.Errorf("%v, %+v", err, at)
	}
	asked := "gone"
	if err := j.specialiseGeneration(&at, h.all[0], &asked); err == nil || !strings.Contains(err.Error(), `has no specialisation "gone", but go`) {
		t.Error(err)
	}
	asked = "go"
	if err := j.specialiseGeneration(&at, h.all[0], &asked); err != nil || at.active() != systemPath("x") {
		t.Errorf("%v, %+v", err, at)
	}
}

// Names are those of directory entries: nothing leads out of the system.
func TestSpecialisationNames(t *testing.T) {
	for _, name := range []string{"..", "a/b", "/etc", "-x", ".hidden", "a\nb"} {
		if isSpecialisation(name) || CheckSpecialisation(name) == nil {
			t.Errorf("%q is one", name)
		}
		_, err := parse("/f/fleet.toml", []byte("[hosts.a]\nspecialisation = "+strings.ReplaceAll("\""+name+"\"", "\n", "\\n")+"\n"))
		var ce *ConfigError
		if !errors.As(err, &ce) || ce.Line != 2 {
			t.Errorf("%q: %v", name, err)
		}
	}
	inv, err := parse("/f/fleet.toml", []byte("[hosts.a]\nspecialisation = \"on the go\"\n"))
	if err != nil || inv.Hosts[0].Specialisation != "on the go" {
		t.Errorf("%+v, %v", inv, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		all, err := parseSpecialisations(rapid.String().Draw(t, "text") + "\n1 " + string(variant) + " a b\nend ok\n")
		if err != nil {
			return
		}
		for name, path := range all {
			if !isSpecialisation(name) || path == "" {
				t.Errorf("%q: %q", name, path)
			}
		}
	})
}

// Specialisations are links; what else is there is none.
func TestLocalSpecialisations(t *testing.T) {
	dir := t.TempDir()
	if all, err := localSpecialisations(dir); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "specialisation", "not-in-the-store"), 0o700); err != nil {
		t.Fatal(err)
	}
	if all, err := localSpecialisations(dir); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// The options that contradict each other are told before any host is asked.
func TestOptionsTogether(t *testing.T) {
	f, h := hospital(t, always(true))
	name, bad := "on-the-go", "a/b"
	for _, opt := range []DeployOptions{{Boot: true, ActivateOnly: true}, {Reboot: true, ActivateOnly: true}, {Boot: true, Specialisation: &name}, {Specialisation: &bad}} {
		if r := deployOne(t, f, opt); r.Outcome != Failed || h.said() != "" || opt.Check() == nil {
			t.Errorf("%+v: %+v", opt, r)
		}
	}
	if err := (DeployOptions{Specialisation: &name, Reboot: true}).Check(); err != nil {
		t.Error(err)
	}
}

// A system without the wanted specialisation is neither copied nor activated.
func TestNoSuchSpecialisation(t *testing.T) {
	f, h := hospital(t, always(true))
	f.Inventory.Health = Health{}
	f.Inventory.Hosts[0].Specialisation = "on-the-go"
	r := deployOne(t, f, DeployOptions{})
	var se *StepError
	if r.Outcome != Failed || !errors.As(r.Err, &se) || se.Brief != `1111111-new has no specialisation "on-the-go", nor any other` || h.said() != "survey" {
		t.Errorf("%+v", r)
	}
	none := ""
	if r := deployOne(t, f, DeployOptions{Specialisation: &none}); r.Outcome != Switched {
		t.Errorf("%+v", r)
	}
	h.current, h.profile = oldSystem, oldSystem
	if r := deployOne(t, f, DeployOptions{ActivateOnly: true, Specialisation: &none}); r.Outcome != Activated || h.current != newSystem {
		t.Errorf("%+v", r)
	}
}
