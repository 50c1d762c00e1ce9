package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// soakSteps are twelve in every world of the campaign with each Nix.
const soakSteps = "108"

// The campaign of fleet's TestRealSoak, with old and new Nix at the same time, on
// flakes of their own. A minute of it here, hours on demand: `mage soak`. The first
// that fails ends both. Nix's database need not survive a power cut, and waits for
// the disk would take half of the time.
func TestSoak(t *testing.T) {
	m := inLab(t)
	binary := filepath.Join(t.TempDir(), "soak.test")
	_, err := proc.Run(t.Context(), proc.Cmd{Dir: "../../fleet", Env: proc.Environ("CGO_ENABLED=0"), Argv: []string{"go", "test", "-c", "-o", binary, "."}})
	if err != nil {
		t.Fatal(err)
	}
	steps := os.Getenv("FLOTILLA_SOAK_STEPS")
	if steps == "" {
		steps = soakSteps
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	summary := regexp.MustCompile(`(?s)in all \d+ steps: .*?\n--- `)
	began := time.Now()
	var wg sync.WaitGroup
	for _, nix := range []struct {
		version, seed string // a flake each, from that one on
		tests         string
		in            func(lab.ExecOptions) (proc.Result, error)
	}{
		{"2.26", "1", "Real(Soak|Place|Built)", func(o lab.ExecOptions) (proc.Result, error) { return m.Exec(ctx, o) }},
		{"2.34", "1001", "Real", func(o lab.ExecOptions) (proc.Result, error) { return m.Compat(ctx, o) }},
	} {
		wg.Go(func() {
			test, err := os.Open(binary)
			if err != nil {
				t.Error(err)
				return
			}
			defer test.Close()
			seed := os.Getenv("FLOTILLA_SOAK_SEED")
			if seed == "" {
				seed = nix.seed
			}
			res, err := nix.in(lab.ExecOptions{Stdin: test, Argv: []string{"/bin/sh", "-c",
				`d=$(mktemp -d /root/soak-XXXXXX) && cd "$d" && cat >soak.test && chmod +x soak.test && nix --version &&
				NIX_CONFIG="fsync-metadata = false" TMPDIR="$d" FLOTILLA_SOAK_STEPS="$1" FLOTILLA_SOAK_SEED="$2" FLOTILLA_SOAK_WORLD="$4" ./soak.test -test.v -test.run "$3" -test.timeout 24h; code=$?; rm -rf "$d"; exit $code`,
				"sh", steps, seed, nix.tests, os.Getenv("FLOTILLA_SOAK_WORLD")}})
			if ctx.Err() != nil {
				return // the other one failed
			}
			out := string(res.Stdout) + string(res.Stderr)
			found := summary.FindString(out)
			if err != nil || found == "" || !strings.Contains(out, "(Nix) "+nix.version) {
				cancel()
				t.Errorf("Nix %s: %v\n%s", nix.version, err, out)
				return
			}
			t.Logf("Nix %s: %s", nix.version, strings.TrimSuffix(found, "\n--- "))
		})
	}
	wg.Wait()
	t.Logf("took %s", time.Since(began).Round(time.Second))
}
