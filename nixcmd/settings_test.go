package nixcmd

import (
	"os"
	"path/filepath"
	"testing"
)

// Everything that changes how Nix evaluates changes the key, and nothing is run
// to find out.
func TestSettingsKey(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("nix", "#!/bin/sh\ntouch ran")
	cfg := Config{Program: at("nix"), Dir: dir, Env: []string{
		"NIX_CONF_DIR=" + at("etc"), "XDG_CONFIG_HOME=" + at("config"), "XDG_CONFIG_DIRS=" + at("dirs"), "XDG_DATA_HOME=" + at("data"), "NIX_CONFIG=", "NIX_USER_CONF_FILES=",
	}}
	key := func() string {
		t.Helper()
		k, err := New(cfg).SettingsKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	seen := map[string]string{}
	last := ""
	differs := func(what string) {
		t.Helper()
		k := key()
		if other, ok := seen[k]; ok {
			t.Errorf("%s: the key is that of %s", what, other)
		}
		seen[k], last = what, k
		if key() != k {
			t.Errorf("%s: not the same twice", what)
		}
	}
	differs("nothing")
	write("etc/nix.conf", "cores = 1\ninclude more.conf\n!include /nonexistent\n")
	differs("the system's file")
	write("etc/more.conf", "cores = 2")
	differs("an included file")
	write("config/nix/nix.conf", "cores = 3")
	differs("the user's file")
	write("dirs/nix/nix.conf", "include nix.conf")
	differs("a file that includes itself")
	write("data/nix/trusted-settings.json", "{}")
	differs("trusted settings")
	cfg.Env = append(cfg.Env, "NIX_CONFIG=cores = 4")
	differs("NIX_CONFIG")
	cfg.Env = append(cfg.Env, "NIX_USER_CONF_FILES="+at("u1")+":"+at("u2"))
	differs("NIX_USER_CONF_FILES")
	write("u2", "cores = 5")
	differs("a file of NIX_USER_CONF_FILES")
	cfg.Options = []Option{{"cores", "6"}}
	differs("an option")
	cfg.AcceptFlakeConfig = true
	differs("accepting the flake's settings")
	write("nix", "#!/bin/sh\ntouch ran # another")
	differs("the program")
	if last == "" {
		t.Error("empty key")
	}

	for text, want := range map[string]bool{
		"pure-eval = false": false, "plugin-files = /x": false, "extra-plugin-files = /x": false, "plugin-files =": true,
		"pure-eval = true": true, "# plugin-files = /x": true, "allow-unsafe-native-code-during-evaluation = true": false,
	} {
		write("etc/more.conf", text)
		if _, err := New(cfg).SettingsKey(); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := os.Stat(at("ran")); err == nil {
		t.Error("nix was run")
	}
	cfg.Program = at("nosuch")
	if _, err := New(cfg).SettingsKey(); err == nil {
		t.Error("a key without a nix")
	}
}
