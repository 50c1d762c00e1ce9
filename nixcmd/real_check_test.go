package nixcmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRealAttrNames(t *testing.T) {
	nix, _ := realClient(t)
	attr, err := FlakeAttr(".", "nixosConfigurations")
	if err != nil {
		t.Fatal(err)
	}
	names, err := nix.AttrNames(t.Context(), attr)
	if err != nil || len(names) < 10 || !slices.IsSorted(names) || !slices.Contains(names, "a.b 100%#?") {
		t.Errorf("%q, %v", names, err)
	}
	root, err := FlakeOutputs(".")
	if err != nil {
		t.Fatal(err)
	}
	if names, err := nix.AttrNames(t.Context(), root); err != nil || !slices.Equal(names, []string{"nixosConfigurations", "packages"}) {
		t.Errorf("outputs: %q, %v", names, err)
	}
	missing, err := FlakeAttr(".", "lib")
	if err != nil {
		t.Fatal(err)
	}
	var e *EvalError
	if _, err := nix.Value(t.Context(), missing); !errors.As(err, &e) || e.File != "" {
		t.Errorf("a missing attribute: %#v", err)
	}
	outPath, err := FlakeAttr(".", "nixosConfigurations", "web", "config", "system", "build", "toplevel", "name")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := nix.Value(t.Context(), outPath); err != nil || string(v) != `"nixos-system-web-26.05"` {
		t.Errorf("%s, %v", v, err)
	}
}

func TestRealCheckFlake(t *testing.T) {
	nix, _ := realClient(t)
	check, err := nix.CheckFlake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range check.Problems {
		all = append(all, p.Error())
	}
	found := strings.Join(all, "\n")
	for _, want := range []string{
		"packages: packages must not be evaluated",
		"nixosConfigurations.syntax: hosts/syntax.nix:3:1: syntax error",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("%q is not in\n%s", want, found)
		}
	}
	if strings.Contains(found, someErrors) || strings.Contains(found, "nixosConfigurations.web") {
		t.Error(found)
	}
}

// Of many files, in several batches, each bad one is found with its position:
// also several in a batch, one behind a symlink, one that cannot be read.
func TestRealCheckSyntax(t *testing.T) {
	nix, dir := realClient(t)
	var files, want []string
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		name := fmt.Sprintf("%03d.nix", i)
		text := "{ a = 1; }"
		if i%70 < 2 {
			text = "{\n a = ; }"
			want = append(want, name+":2:6: syntax error, unexpected ';'")
		}
		put(name, text)
		files = append(files, name)
	}
	put("-x.nix", "{ lib }: nosuch")
	put("text", "{ a = 1; a = 2; }")
	if err := os.Symlink("text", filepath.Join(dir, "link.nix")); err != nil {
		t.Fatal(err)
	}
	files = append(files, "-x.nix", "link.nix", "gone.nix")
	want = append(want, "-x.nix:1:10: undefined variable 'nosuch'", "link.nix:1:10: attribute 'a' already defined", "gone.nix: open ")

	bad, err := nix.CheckSyntax(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	if len(bad) != len(want) {
		t.Fatalf("%d files are bad, want %d: %v", len(bad), len(want), bad)
	}
	for i, e := range bad {
		if !strings.HasPrefix(e.Error(), want[i]) {
			t.Errorf("got %q, want %q", e, want[i])
		}
	}
	if bad, err := nix.CheckSyntax(t.Context(), nil); err != nil || bad != nil {
		t.Errorf("no files: %v, %v", bad, err)
	}

	// A Nix that cannot parse anything is not the files' fault.
	broken := New(Config{Program: realNix, Dir: dir, Env: []string{"NIX_REMOTE=nonsense://"}})
	var e *Error
	if bad, err := broken.CheckSyntax(t.Context(), files[:2]); !errors.As(err, &e) || len(bad) > 0 {
		t.Errorf("a broken Nix: %v, %v", bad, err)
	}
}

func TestRealTrackedFiles(t *testing.T) {
	nix, dir := realClient(t)
	if err := os.Remove(filepath.Join(dir, "hosts", "web.nix")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "untracked.nix"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := nix.TrackedFiles(t.Context())
	if err != nil || !slices.Contains(files, "hosts/warns.nix") || slices.Contains(files, "hosts/web.nix") || slices.Contains(files, "untracked.nix") {
		t.Errorf("%q, %v", files, err)
	}
	if _, err := New(Config{Dir: t.TempDir()}).TrackedFiles(t.Context()); !errors.Is(err, ErrNoGit) {
		t.Errorf("outside of Git: %v", err)
	}
}
