package nixcmd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeTools are programs that note how they are called and then run the text.
func fakeTools(t *testing.T, text string) (c *Client, calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, name := range []string{"nix", "nix-store", "nix-copy-closure"} {
		script := "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'nix (Nix) 2.26.3'; exit; }\necho \"" + name + " $*\" >>" + log + "\n" + text + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return New(Config{Program: filepath.Join(dir, "nix")}), func() []string {
		b, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

const one, two = StorePath("/nix/store/11111111111111111111111111111111-one"), StorePath("/nix/store/22222222222222222222222222222222-two")

// Files come in and go out as asked, and nothing that is not a path gets as far as a
// command.
func TestAddAndDelete(t *testing.T) {
	c, calls := fakeTools(t, `case "$1" in --add) echo `+string(one)+`; echo `+string(two)+` ;; esac`)
	paths, err := c.AddFiles(t.Context(), []string{"/a/one", "/a/two"})
	if err != nil || !slices.Equal(paths, []StorePath{one, two}) {
		t.Errorf("%q, %v", paths, err)
	}
	if paths, err := c.AddFiles(t.Context(), []string{"/a/one"}); err == nil {
		t.Errorf("two paths for a file: %q", paths)
	}
	if err := c.Delete(t.Context(), paths); err != nil {
		t.Error(err)
	}
	if err := c.CopyClosure(t.Context(), paths, "root@web", "-p 23"); err != nil {
		t.Error(err)
	}
	want := []string{"nix-store --add -- /a/one /a/two", "nix-store --add -- /a/one", "nix-store --delete -- " + string(one) + " " + string(two),
		"nix-copy-closure --to root@web " + string(one) + " " + string(two)}
	if got := calls(); !slices.Equal(got, want) {
		t.Errorf("called %q", got)
	}
	for _, err := range []error{
		c.Delete(t.Context(), []StorePath{"--all"}), c.CopyClosure(t.Context(), paths, "-oProxyCommand=x", ""),
		c.CopyClosure(t.Context(), []StorePath{"/etc"}, "web", ""),
	} {
		var e *Error
		if !errors.As(err, &e) || e.ExitCode != -1 {
			t.Errorf("%v", err)
		}
	}
	if got := calls(); len(got) != len(want) {
		t.Errorf("called %q", got[len(want):])
	}
}

// What is damaged is told by events; an error without them is one.
func TestDamaged(t *testing.T) {
	const event = `@nix {"action":"result","fields":["` + string(two) + `"],"id":7,"type":103}`
	for _, c := range []struct {
		name, text string
		want       []StorePath
		fails      bool
	}{
		{"all well", "", nil, false},
		{"one is damaged", "echo '" + event + "' >&2; exit 1", []StorePath{two}, false},
		{"no such path", `echo '@nix {"action":"msg","level":0,"msg":"error: path is not valid"}' >&2; exit 1`, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, calls := fakeTools(t, c.text)
			got, err := client.Damaged(t.Context(), []StorePath{one, two})
			if !slices.Equal(got, c.want) || (err != nil) != c.fails {
				t.Errorf("%q, %v", got, err)
			}
			if said := calls(); len(said) != 1 || !strings.HasPrefix(said[0], "nix store verify --extra-experimental-features nix-command flakes --no-trust --log-format internal-json -- "+string(one)) {
				t.Errorf("called %q", said)
			}
		})
	}
}
