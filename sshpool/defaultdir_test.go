package sshpool

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestDefaultDir(t *testing.T) {
	fallback := filepath.Join("/tmp", "flotilla-"+strconv.Itoa(os.Geteuid()), "ssh")
	mine, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(mine) })
	long := filepath.Join(mine, strings.Repeat("x", 60))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	spaced := filepath.Join(mine, "a b")
	if err := os.Mkdir(spaced, 0o700); err != nil {
		t.Fatal(err)
	}
	for run, want := range map[string]string{
		mine: mine + "/flotilla/ssh", "": fallback, "relative": fallback, mine + "/missing": fallback, long: fallback, spaced: fallback,
	} {
		t.Setenv("XDG_RUNTIME_DIR", run)
		if got := defaultDir(); got != want {
			t.Errorf("XDG_RUNTIME_DIR=%q: %s, want %s", run, got, want)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(mine, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		t.Setenv("XDG_RUNTIME_DIR", mine)
		if got := defaultDir(); got != fallback {
			t.Errorf("another user's directory: %s", got)
		}
	}
}
