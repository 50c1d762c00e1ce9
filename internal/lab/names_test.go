package lab

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCacheDir(t *testing.T) {
	tests := []struct {
		name        string
		env         map[string]string
		dir, parent string
	}{
		{"given", map[string]string{"FLOTILLA_LAB_DIR": "/x/y", "XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/x/y", ""},
		{"xdg", map[string]string{"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/flotilla/lab", "/c/flotilla"},
		{"relative xdg is ignored", map[string]string{"XDG_CACHE_HOME": "c", "HOME": "/h"}, "/h/.cache/flotilla/lab", "/h/.cache/flotilla"},
		{"no home", nil, "/root/.cache/flotilla/lab", "/root/.cache/flotilla"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, parent, err := cacheDir(func(name string) string { return tt.env[name] })
			if err != nil || dir != tt.dir || parent != tt.parent {
				t.Errorf("got %q, %q, %v; want %q, %q", dir, parent, err, tt.dir, tt.parent)
			}
		})
	}
}

func TestCacheDirRefusesWhatMountWouldSplit(t *testing.T) {
	for _, dir := range []string{"/a:b", "/a,b", `/a\b`, "/a\nb", `/a"b`} {
		_, _, err := cacheDir(func(name string) string {
			if name == "FLOTILLA_LAB_DIR" {
				return dir
			}
			return ""
		})
		var labErr *Error
		if !errors.As(err, &labErr) || labErr.Hint() == "" {
			t.Errorf("%q: got %v, want an *Error with a hint", dir, err)
		}
	}
}

func TestNameComesFromTheRepository(t *testing.T) {
	a, errA := newLayout(Config{Repo: "/src/a"})
	again, errAgain := newLayout(Config{Repo: "/src/b/../a/"})
	b, errB := newLayout(Config{Repo: "/src/b"})
	if err := errors.Join(errA, errAgain, errB); err != nil {
		t.Fatal(err)
	}
	if a.id != again.id || a.id == b.id {
		t.Errorf("ids %q, %q, %q: want the first two the same and the last different", a.id, again.id, b.id)
	}
}

func TestNameIsValidated(t *testing.T) {
	for _, name := range []string{"../up", "a/b", "A", "a b", "-a", "a-", "a;b", "$(a)", strings.Repeat("a", 31)} {
		if _, err := newLayout(Config{Name: name}); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	if _, err := newLayout(Config{}); err == nil {
		t.Error("neither a name nor a repository was accepted")
	}
}

// Whatever is found by a name of one lab must not be another's.
func TestNamesOfTwoLabsDiffer(t *testing.T) {
	id := rapid.StringMatching(idPattern.String())
	rapid.Check(t, func(t *rapid.T) {
		cache := rapid.SampledFrom([]string{rootCache, "/c", "/d"})
		draw := func(label string) layout {
			dir := cache.Draw(t, label+"'s cache")
			return layout{id: id.Draw(t, label), cache: dir, mark: cacheMark(dir)}
		}
		a, b := draw("a"), draw("b")
		if a == b {
			t.Skip("one lab")
		}
		seen := map[string]bool{}
		for _, n := range allNames(a) {
			seen[n] = true
		}
		for _, n := range allNames(b) {
			if seen[n] {
				t.Errorf("labs %q and %q share the name %q", a.id, b.id, n)
			}
		}
	})
}

func allNames(l layout) []string {
	names := []string{l.network(), l.dir(), l.name(compat), l.imageGroup("trixie-base-0123456789abcdef" + l.id)}
	for _, m := range Machines() {
		names = append(names, l.name(m), l.relayGroup(m), l.machine(m))
	}
	return names
}

func TestContainerNamesFit(t *testing.T) {
	l := layout{id: strings.Repeat("x", 30), mark: cacheMark("/c")}
	names := []string{l.imageGroup("trixie-base-0123456789abcdef")}
	for _, m := range append(Machines(), compat) {
		names = append(names, l.name(m))
	}
	for _, name := range names {
		if len(name) > 64 {
			t.Errorf("%q is longer than a host name may be", name)
		}
	}
}

func TestInterfaceNamesFit(t *testing.T) {
	const limit = 15 // IFNAMSIZ less the terminating zero
	for _, m := range Machines() {
		for _, name := range []string{m, tapName(m), hostLink, bridge} {
			if len(name) > limit {
				t.Errorf("%q is longer than %d", name, limit)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	seen := map[string]string{"": "nobody"}
	for _, m := range Machines() {
		if other, ok := seen[Address(m)]; ok {
			t.Errorf("%s has the address of %s", m, other)
		}
		seen[Address(m)] = m
	}
	if a := Address("nonesuch"); a != "" {
		t.Errorf("an unknown machine has address %q", a)
	}
}

func TestUnknownMachine(t *testing.T) {
	err := checkMachine("cut", "p62O")
	var labErr *Error
	if !errors.As(err, &labErr) || !strings.Contains(labErr.Hint(), "p620") {
		t.Errorf("got %v, want an *Error whose hint lists the machines", err)
	}
}
