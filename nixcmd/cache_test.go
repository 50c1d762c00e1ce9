package nixcmd

import (
	"strings"
	"testing"
	"time"
)

// What bounds a cache that is down or silent, and what makes Nix ask it anew; and that of
// a secret key nothing but the name of its file is on a command line.
func TestCacheArgs(t *testing.T) {
	cfg := Config{Program: "nix"}
	joined := func(argv []string, err error) string {
		if err != nil {
			t.Error(err)
		}
		return strings.Join(argv, " ")
	}
	const features = "--extra-experimental-features nix-command flakes "
	c := Cache{URL: "http://c", PublicKey: "c:k", ConnectTimeout: 1, StallTimeout: 1500 * time.Millisecond}
	for got, want := range map[string]string{
		joined(cfg.buildArgs([]string{string(somePath)}, BuildOptions{Cache: c})): "nix build " + features +
			"--option extra-substituters http://c --option extra-trusted-public-keys c:k --option connect-timeout 1 --option download-attempts 1 --option stalled-download-timeout 2 " +
			"--fallback --log-format internal-json --print-out-paths --no-link -- " + string(somePath),
		joined(cfg.copyArgs([]StorePath{somePath}, CopyOptions{To: "http://c?secret-key=/k", ConnectTimeout: 5 * time.Second, StallTimeout: 15 * time.Second, Anew: true})): "nix copy " + features +
			"--option connect-timeout 5 --option download-attempts 1 --option stalled-download-timeout 15 --option narinfo-cache-positive-ttl 0 --option narinfo-cache-negative-ttl 0 " +
			"--log-format raw --to http://c?secret-key=/k -- " + string(somePath),
		joined(cfg.signArgs([]StorePath{somePath}, SignOptions{KeyFile: "/k"})): "nix store sign " + features + "--recursive --key-file /k -- " + string(somePath),
		joined(cfg.signArgs([]StorePath{somePath}, SignOptions{KeyFile: "/k", Store: "ssh-ng://c", ConnectTimeout: time.Second, StallTimeout: time.Second})): "nix store sign " + features +
			"--option connect-timeout 1 --option download-attempts 1 --option stalled-download-timeout 1 --store ssh-ng://c?max-connections=1 --recursive --key-file /k -- " + string(somePath),
	} {
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// What is no path of something built, or no file, gets as far as no command.
func TestCacheRefusesArguments(t *testing.T) {
	c := New(Config{Program: "/nonexistent/nix"})
	sign := func(p StorePath, opt SignOptions) error {
		_, err := c.Sign(t.Context(), []StorePath{p}, opt)
		return err
	}
	for what, err := range map[string]error{
		"a derivation": c.Realise(t.Context(), []StorePath{somePath + ".drv"}, BuildOptions{}),
		"an option":    c.Realise(t.Context(), []StorePath{"--help"}, BuildOptions{}),
		"no file":      sign(somePath, SignOptions{KeyFile: "--all"}),
		"no path":      sign("--all", SignOptions{KeyFile: "/k"}),
		"no store":     sign(somePath, SignOptions{KeyFile: "/k", Store: "--all"}),
	} {
		if err == nil || strings.Contains(err.Error(), "nonexistent") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.Realise(t.Context(), nil, BuildOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := c.Sign(t.Context(), nil, SignOptions{KeyFile: "/k"}); err != nil {
		t.Error(err)
	}
}

func TestAdded(t *testing.T) {
	for text, want := range map[string]int{"added 5 signatures\n": 5, "warning: no\nadded 58 signatures": 58, "added 0 signatures": 0, "added many": 0, "": 0} {
		if got := added(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// A signature of an unknown kind is nobody's.
func TestUnknownSignatures(t *testing.T) {
	infos, err := ParsePathInfo([]byte(`{"` + string(somePath) + `":{"narSize":7,"signatures":[7,null]}}`))
	if err != nil || len(infos) != 1 || strings.Join(infos[0].Signers, "") != "" {
		t.Errorf("%+v, %v", infos, err)
	}
}

func TestSigners(t *testing.T) {
	if got := (NarInfo{sigs: []string{"a:x", "b-1:y", ""}}).Signers(); strings.Join(got, " ") != "a b-1 " {
		t.Errorf("%q", got)
	}
	if got := (NarInfo{}).Signers(); got != nil {
		t.Errorf("%q", got)
	}
}
