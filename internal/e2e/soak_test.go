package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// The campaign of fleet's TestRealSoak, with old and new Nix at the same time. A
// few minutes of it here, hours on demand: `mage soak`.
func TestSoak(t *testing.T) {
	m := inLab(t)
	binary := filepath.Join(t.TempDir(), "soak.test")
	_, err := proc.Run(t.Context(), proc.Cmd{Dir: "../../fleet", Env: proc.Environ("CGO_ENABLED=0"), Argv: []string{"go", "test", "-c", "-o", binary, "."}})
	if err != nil {
		t.Fatal(err)
	}
	steps, seed := os.Getenv("FLOTILLA_SOAK_STEPS"), os.Getenv("FLOTILLA_SOAK_SEED")
	if steps == "" {
		steps = "150"
	}
	summary := regexp.MustCompile(`in all \d+ steps: .*`)
	began := time.Now()
	var wg sync.WaitGroup
	for name, in := range map[string]func(lab.ExecOptions) (proc.Result, error){
		"Nix 2.26": func(o lab.ExecOptions) (proc.Result, error) { return m.Exec(t.Context(), o) },
		"Nix 2.34": func(o lab.ExecOptions) (proc.Result, error) { return m.Compat(t.Context(), o) },
	} {
		wg.Go(func() {
			test, err := os.Open(binary)
			if err != nil {
				t.Error(err)
				return
			}
			defer test.Close()
			res, err := in(lab.ExecOptions{Stdin: test, Argv: []string{"/bin/sh", "-c",
				`d=$(mktemp -d /root/soak-XXXXXX) && cd "$d" && cat >soak.test && chmod +x soak.test && nix --version &&
				TMPDIR="$d" FLOTILLA_SOAK_STEPS="$1" FLOTILLA_SOAK_SEED="$2" ./soak.test -test.v -test.run "Real(Soak|Hundred|Place)" -test.timeout 24h; code=$?; rm -rf "$d"; exit $code`,
				"sh", steps, seed}})
			out := string(res.Stdout) + string(res.Stderr)
			found := summary.FindString(out)
			if err != nil || found == "" || !regexp.MustCompile(regexp.QuoteMeta(name[4:])).MatchString(out) {
				t.Errorf("%s: %v\n%s", name, err, out)
				return
			}
			t.Logf("%s: %s", name, found)
		})
	}
	wg.Wait()
	t.Logf("took %s", time.Since(began).Round(time.Second))
}
