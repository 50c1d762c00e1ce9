package fleet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/sshpool"
)

// sent is a command of unit.sh's as a host sees it that keeps no script.
func sent(cmd sshpool.Cmd) sshpool.Cmd {
	if len(cmd.Argv) < 5 || cmd.Argv[2] != keptScript {
		return cmd
	}
	in := cmd.Stdin.(io.ReadSeeker)
	text, _ := io.ReadAll(in)
	_, _ = in.Seek(0, io.SeekStart)
	cmd.Script, cmd.Stdin, cmd.Argv = strings.TrimSuffix(strings.TrimPrefix(string(text), "{ :; "), "\n}\n"), nil, cmd.Argv[5:]
	return cmd
}

// eachShell runs a test with each shell that there is for sh: NixOS has bash.
func eachShell(t *testing.T, test func(t *testing.T, env []string)) {
	for _, name := range []string{"dash", "bash", "busybox"} {
		path, err := proc.LookPath(name)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			if err := os.Symlink(path, filepath.Join(bin, "sh")); err != nil {
				t.Fatal(err)
			}
			test(t, proc.Environ("PATH="+bin+":"+os.Getenv("PATH")))
		})
	}
}

// A host that keeps the script runs that, and its commands find nothing of what was sent
// along; one that does not runs what was sent, and the end is the script's in both.
func TestKeptScript(t *testing.T) { eachShell(t, testKeptScript) }

func testKeptScript(t *testing.T, env []string) {
	file := filepath.Join(t.TempDir(), "kept")
	run := func(in string, args ...string) string {
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"env", "sh", "-c", keptScript, "sh", file}, args...), Env: env, Stdin: strings.NewReader(in)})
		return fmt.Sprintf("%s(%d, %v)", res.Stdout, res.Code, err == nil)
	}
	const tell = `; printf '<%s>' "$@"; cat; exit 3`
	if got := run(whole("printf sent"+tell), "a b", "", "$(c)"); got != "sent<a b><><$(c)>(3, false)" {
		t.Errorf("not kept: %s", got)
	}
	if err := os.WriteFile(file, []byte("printf kept"+tell), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(whole("printf sent"+tell), "a b", "", "$(c)"); got != "kept<a b><><$(c)>(3, false)" {
		t.Errorf("kept: %s", got)
	}
	// Of one that was cut off on its way nothing runs.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := run("{ :; echo half\n"); got != "(2, false)" {
		t.Errorf("half of it: %s", got)
	}
}

// An activation leaves the text that it runs, whole and for root alone; where there is no
// room it leaves nothing, and goes on.
func TestScriptIsLeft(t *testing.T) { eachShell(t, testScriptIsLeft) }

func testScriptIsLeft(t *testing.T, env []string) {
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.Base(keptFile()))
	script := strings.Replace(activateScript(), "kept="+keptFile(), "kept="+file, 1)
	// What unit.sh defines before it looks at its mode, then leave by itself.
	head, _, ok := strings.Cut(terse(unitScript), "case $mode in\nclean)")
	if !ok || !strings.Contains(script, file) {
		t.Fatal("unit.sh is not what it was")
	}
	script = strings.Replace(script, "\neval \"$self\"", "\n"+head+"\nleave; echo left", 1)
	leave := func() {
		t.Helper()
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"env", "sh", "-s", "--", "activate", "flotilla-activate-x"}, Env: env, Stdin: strings.NewReader(whole(script))})
		if err != nil || !strings.HasSuffix(string(res.Stdout), "left\n") || len(res.Stderr) != 0 {
			t.Fatalf("%s%s%v", res.Stdout, res.Stderr, err)
		}
	}
	for range 2 {
		leave()
		text, err := os.ReadFile(file)
		if err != nil || string(text) != keptUnit()+"\n" {
			t.Errorf("%v, %d bytes of %d", err, len(text), len(keptUnit()))
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
	}
	// A directory in the way stands for a full disk.
	if err := errors.Join(os.Remove(file), os.Mkdir(file+".x", 0o700)); err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left all the same: %v", err)
	}
}
