package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nixflotilla/flotilla/internal/proc"
	// What the binary is made of, for the go command to know when a cached
	// result no longer holds.
	_ "github.com/nixflotilla/flotilla/recipes"
)

// flotilla is the compiled targets binary, as `mage lab` puts it into control.
var flotilla string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flotilla-e2e-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	flotilla = filepath.Join(dir, "flotilla")
	if _, err := os.ReadFile("../../magefile.go"); err != nil { // likewise
		panic(err)
	}
	// Static, so that it runs in any image.
	_, err = proc.Run(context.Background(), proc.Cmd{Argv: []string{"go", "tool", "mage", "-compile", flotilla}, Dir: "../..", Env: proc.Environ("CGO_ENABLED=0")})
	if err != nil {
		panic(err)
	}
	code := m.Run()
	if err := labDown(); err != nil {
		println(err.Error())
		return 1
	}
	return code
}

// TestScripts runs testdata/script: each file is a story on top, then commands
// and the files they need. `bin/` comes first in PATH and holds the fakes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			bin := filepath.Join(env.WorkDir, "bin")
			if err := os.MkdirAll(bin, 0o700); err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(bin, "*"))
			if err != nil {
				return err
			}
			for _, f := range files {
				if err := os.Chmod(f, 0o700); err != nil {
					return err
				}
			}
			if err := os.Symlink(flotilla, filepath.Join(bin, "flotilla")); err != nil {
				return err
			}
			env.Setenv("HOME", env.WorkDir)
			// Short, for the sockets.
			sockets, err := os.MkdirTemp("", "fl")
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(sockets) })
			env.Setenv("XDG_RUNTIME_DIR", sockets)
			env.Setenv("PATH", bin+":/usr/bin:/bin")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE PROGRAM ARG... runs a program and wants exactly that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("%v", err)
	}
	line := strings.Join(args[1:], " ")
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%s: %v", line, err)
		}
		got = code.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", line, got, want)
	}
}
