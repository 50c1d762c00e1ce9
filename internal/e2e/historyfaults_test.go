package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// testedFleet is a directory with a fleet of one host and a fake of Nix, whose builds
// run a hook.
type testedFleet struct {
	t   *testing.T
	dir string
}

func newTestedFleet(t *testing.T) testedFleet {
	t.Helper()
	f := testedFleet{t, t.TempDir()}
	const path = "/nix/store/00000000000000000000000000000000-nixos-system-p620"
	for name, text := range map[string]string{
		"bin/nix": `#!/bin/sh
case "$*" in
  --version) echo "nix (Nix) 2.26.3" ;;
  path-info*--derivation*) echo /nix/store/dddddddddddddddddddddddddddddddd-nixos-system-p620.drv ;;
  build*) if [ -e hook ]; then sh hook; fi; echo ` + path + ` ;;
  *) exit 9 ;;
esac
`,
		"bin/nix-store": "#!/bin/sh\necho " + path + "\n", "flake.nix": "{}", "fleet.toml": "[hosts.p620]\n",
	} {
		f.write(name, text)
	}
	return f
}

func (f testedFleet) write(name, text string) {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

// sh runs a script in it, in which flotilla is the program.
func (f testedFleet) sh(argv ...string) (proc.Result, error) {
	return proc.Run(f.t.Context(), proc.Cmd{Argv: argv, Dir: f.dir, Env: []string{"HOME=" + f.dir, "XDG_RUNTIME_DIR=" + f.dir,
		"PATH=" + filepath.Join(f.dir, "bin") + ":" + filepath.Dir(flotilla) + ":/usr/sbin:/usr/bin:/sbin:/bin"}})
}

// A disk that is full, before a run and in the middle of one, costs the run its place in
// the history and a warning; what was kept before is there, and later runs are kept.
func TestHistoryOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a small disk, which needs root")
	}
	f := newTestedFleet(t)
	f.write("story.sh", `set -eu
mount -t tmpfs -o size=1m tmpfs .local/state/flotilla/history
warned() { grep -q 'this run is not kept in the history: ' err || { echo "$1: no warning:"; cat err; exit 1; }; }
fill() { cat /dev/zero >"$(echo .local/state/flotilla/history/*)/filler" 2>/dev/null || :; }
run() { flotilla testAll -fresh >out 2>err || { echo "$1: exit code $?"; cat out err; exit 1; }; grep -q 'p620.*built' out || { cat out err; exit 1; }; }
run first
fill
run full
warned full
rm .local/state/flotilla/history/*/filler
echo 'cat /dev/zero >"$(echo .local/state/flotilla/history/*)/filler" 2>/dev/null || :' >hook
run 'full in the middle'
warned 'full in the middle'
rm hook .local/state/flotilla/history/*/filler
run last
! grep history err || { cat err; exit 1; }
flotilla history -csv
ls .local/state/flotilla/history/*
`)
	if err := os.MkdirAll(filepath.Join(f.dir, ".local/state/flotilla/history"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The mount is seen by these processes alone, and goes with them.
	res, err := f.sh("unshare", "--mount", "sh", "story.sh")
	if err != nil {
		t.Fatalf("%v\n%s%s", err, res.Stdout, res.Stderr)
	}
	if out := string(res.Stdout); strings.Count(out, ",p620,built,") < 2 || strings.Contains(out, "history.db.2") {
		t.Errorf("%s", out)
	}
}

// Several processes that begin and end at the same time are all kept.
func TestHistoryOfRunsAtTheSameTime(t *testing.T) {
	f := newTestedFleet(t)
	// Outside of the flake, all of which is read: whoever closes a database's file lets go of
	// its process's locks on it.
	state := "XDG_STATE_HOME=" + t.TempDir()
	const several = 6
	var wg sync.WaitGroup
	for range several {
		wg.Go(func() {
			if res, err := f.sh("env", state, flotilla, "testAll", "-fresh"); err != nil || strings.Contains(string(res.Stderr), "history") {
				t.Errorf("%v\n%s%s", err, res.Stdout, res.Stderr)
			}
		})
	}
	wg.Wait()
	res, err := f.sh("env", state, flotilla, "history", "-csv")
	for n := 1; n <= several; n++ {
		if !strings.Contains(string(res.Stdout), fmt.Sprintf("\n%d,", n)) {
			t.Errorf("run %d is missing: %v\n%s%s", n, err, res.Stdout, res.Stderr)
		}
	}
}
