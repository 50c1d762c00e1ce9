package nixcmd

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestCancelledBeforeStart(t *testing.T) {
	cause := errors.New("the user pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	nix := New(Config{})
	_, err := nix.Version(ctx)
	_, buildErr := nix.Build(ctx, []StorePath{drvNumber(1)}, BuildOptions{})
	for _, err := range []error{err, buildErr} {
		var e *Error
		if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) || !errors.As(err, &e) || e.ExitCode != -1 {
			t.Errorf("%v", err)
		}
		if !strings.HasSuffix(err.Error(), ": the user pressed Ctrl-C") || strings.Contains(err.Error(), context.Canceled.Error()) {
			t.Errorf("%v", err)
		}
	}
}

// A turn that another call holds is not waited for longer than the context
// lasts.
func TestVersionWaitsWithContext(t *testing.T) {
	nix := New(Config{})
	nix.version.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nix.Version(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Clients do not share what they were configured with.
func TestNewCopies(t *testing.T) {
	options := []Option{{"cores", "1"}}
	nix := New(Config{Options: options})
	options[0].Value = "2"
	if nix.cfg.Options[0].Value != "1" || nix.cfg.Program != "nix" {
		t.Errorf("%+v", nix.cfg)
	}
}

func TestToolIsBesideNix(t *testing.T) {
	for program, want := range map[string]string{"nix": "nix-store", "/opt/nix/bin/nix": "/opt/nix/bin/nix-store", "./nix": "./nix-store"} {
		if got := New(Config{Program: program}).cfg.tool("nix-store"); got != want {
			t.Errorf("%s: %s", program, got)
		}
	}
}

// In every form that Nix shows file names, those of the flake are found.
func TestSourceTree(t *testing.T) {
	const store = "/nix/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-source/"
	for file, want := range map[string]sourceTree{
		store + "sub/flake.nix": store,
		"«git+file:///home/t/repo?ref=HEAD&rev=1»/sub/flake.nix": "«git+file:///home/t/repo?ref=HEAD&rev=1»/",
		"/nonexistent/flake/flake.nix":                           "/nonexistent/flake/",
		"":                                                       "",
		"flake.nix":                                              "",
		"«broken/flake.nix":                                      "",
		"/nix/store/flake.nix":                                   "",
	} {
		if got := treeOf(file); got != want {
			t.Errorf("%q is in %q", file, got)
		}
	}
}
