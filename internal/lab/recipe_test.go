package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestImageNameFollowsItsRecipe(t *testing.T) {
	files := fstest.MapFS{"provision.sh": {Data: []byte("true")}}
	changed := fstest.MapFS{"provision.sh": {Data: []byte("false")}}
	renamed := fstest.MapFS{"provision": {Data: []byte("true")}}
	name := func(r recipe, files fstest.MapFS) string {
		t.Helper()
		n, err := r.name(files)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	same := name(booted(), files)
	if again := name(booted(), files); again != same {
		t.Errorf("%q, then %q", same, again)
	}
	more := booted()
	more.packages = append(more.packages, "hello")
	for what, other := range map[string]string{
		"content":  name(booted(), changed),
		"names":    name(booted(), renamed),
		"packages": name(more, files),
		"base":     name(booted().base(), files),
		"suite":    name(newer(), files),
		"programs": name(monitoring(), files),
	} {
		if other == same {
			t.Errorf("other %s, same name", what)
		}
	}
	if a, b := name(booted().base(), files), name(booted().base(), changed); a != b {
		t.Errorf("the base changes with the files that come on top: %q, %q", a, b)
	}
}

func TestComplaint(t *testing.T) {
	got := complaint([]byte("a\nb\nc\nd\ne\nerror: f\nAttempted to remove disk file system under \"/run/x\", and we can't allow that.\n"))
	if want := "b\nc\nd\ne\nerror: f"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A file system that is embedded has lost its modes.
func TestCopiedScriptsAreExecutable(t *testing.T) {
	files := fstest.MapFS{
		"sub/run":    {Data: []byte("#!/bin/sh\n")},
		".hidden/it": {Data: []byte("text")},
	}
	dir := t.TempDir()
	if err := copyFiles(files, dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sub/run": "-rwxr-xr-x", ".hidden/it": "-rw-r--r--"} {
		if got := modeOf(t, dir+"/"+name); got != want {
			t.Errorf("%s: mode %s, want %s", name, got, want)
		}
	}
}

func TestEmbeddedImageIsComplete(t *testing.T) {
	for _, name := range []string{"image/provision.sh", "image/fleet/flake.nix", "image/fleet/fleet.toml"} {
		if data, err := embedded.ReadFile(name); err != nil || len(strings.TrimSpace(string(data))) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}
