package fleet

import (
	"reflect"
	"strings"
	"testing"
)

func TestRebootChanges(t *testing.T) {
	const hash = "/nix/store/00000000000000000000000000000000-"
	a := answer{values: map[string]string{
		"b/kernel": hash + "linux-6.12.31/bzImage", "n/kernel": hash + "linux-6.15.1/bzImage",
		"b/initrd": hash + "initrd-linux-6.12.31/initrd", "n/initrd": strings.Replace(hash, "0", "1", 1) + "initrd-linux-6.12.31/initrd",
		"b/kernel-modules": hash + "linux-6.12.31-modules", "n/kernel-modules": hash + "linux-6.15.1-modules",
		"b/kernel-params": "loglevel=4 quiet lsm=a", "n/kernel-params": "loglevel=4 lsm=a nomodeset ",
	}}
	want := []RebootPart{{"kernel", "6.12.31", "6.15.1"}, {"initrd", "", ""}, {"kernel-modules", "6.12.31", "6.15.1"}, {"kernel-params", "quiet", "nomodeset"}}
	if got := rebootChanges(a, "b/", "n/"); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := rebootParts(a, "b/", "n/"); strings.Join(got, " ") != "kernel initrd kernel-modules kernel-params" {
		t.Errorf("%v", got)
	}
	if got := rebootChanges(a, "b/", "b/"); got != nil {
		t.Errorf("the same system: %+v", got)
	}
	// What a host says need not be a path.
	a.values["n/kernel"] = "/boot/x; rm -rf /"
	if got := rebootChanges(a, "b/", "n/")[0]; got != (RebootPart{"kernel", "6.12.31", ""}) {
		t.Errorf("%+v", got)
	}
}

func TestDryActivated(t *testing.T) {
	facts := answer{values: map[string]string{"next/kernel": "x"}}
	for _, c := range []struct {
		name    string
		end     unitEnd
		unknown string
	}{
		{"done", unitEnd{answer: facts}, ""},
		{"locked", unitEnd{answer: facts, status: 11}, "another switch holds the host's lock"},
		{"refused", unitEnd{answer: facts, status: 1, lines: []string{"a", "the check says no", "Pre-switch checks failed"}}, "exit code 1: a; the check says no; Pre-switch checks failed"},
		{"init", unitEnd{answer: facts, status: 100}, "can only be booted into"},
	} {
		d := difference(&stores{}, -1)
		d.dryActivated(c.end, UnitChanges{Stop: []string{"a.service"}})
		if !strings.Contains(d.UnitsUnknown, c.unknown) || (c.unknown == "") != (d.UnitsUnknown == "") || strings.Join(d.RebootFor, "") != "kernel" || len(d.Units.Stop) != 1 {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}
