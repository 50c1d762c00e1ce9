package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// Every recipe that is measured is there for just and without it, and an edit is
// another one each time.
func TestSituations(t *testing.T) {
	for _, s := range situations() {
		name, _, _ := strings.Cut(s.theirs, " ")
		if !strings.Contains(recipes, "\n  "+name+") ") || !strings.Contains(justfile, "\n"+name+" ") {
			t.Errorf("%s: there is no recipe %q", s.text, name)
		}
		if s.edit != "" && (fmt.Sprintf(s.edit, 1) == fmt.Sprintf(s.edit, 2) || strings.Contains(fmt.Sprintf(s.edit, 1), "%!")) {
			t.Errorf("%s: %q", s.text, s.edit)
		}
		if (s.latency > 0) != (s.host != "") {
			t.Errorf("%s: latency %s of %q", s.text, s.latency, s.host)
		}
	}
}

// What stands for nixos-rebuild where there is none does what that does, in its
// order; and a quick-deploy with fakes finds an unchanged host unchanged.
func TestWrittenOut(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("recipes.sh", recipes)
	write("nix", "#!/bin/sh\necho \"nix $1\" >>log\ncase $1 in eval) printf /nix/store/x.drv ;; *) echo /nix/store/x-system ;; esac\n")
	write("nix-copy-closure", "#!/bin/sh\necho \"nix-copy-closure $*\" >>log\n")
	write("ssh", `#!/bin/sh
case "$*" in
  *readlink*) cat live ;;
  *"nix --extra"*) echo "ssh nix build" >>log; echo /nix/store/x-system ;;
  *-O*) ;;
  *) while [ "$1" = -o ]; do shift 2; done; shift; echo "ssh $1" >>log ;;
esac
`)
	run := func(args ...string) string {
		t.Helper()
		os.Remove(filepath.Join(dir, "log"))
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"/bin/sh", "recipes.sh"}, args...), Dir: dir, Env: proc.Environ("PATH=" + dir + ":/usr/bin:/bin")})
		if err != nil {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		text, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ", ")
	}
	const rebuild = "nix eval, nix-copy-closure --to root@p620 /nix/store/x.drv, ssh nix build, ssh test, ssh nix-env, ssh test, ssh systemd-run"
	if got := run("host", "p620"); got != rebuild {
		t.Errorf("host: %s", got)
	}
	write("live", "/nix/store/x-system\n")
	if got := run("mended", "p620"); got != "nix build" {
		t.Errorf("unchanged: %s", got)
	}
	write("live", "/nix/store/other\n")
	if got := run("mended", "p620"); got != "nix build, "+rebuild {
		t.Errorf("changed: %s", got)
	}
}

func TestMarkdown(t *testing.T) {
	r := Result{Time: time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC), Just: "just 1", Rebuild: "none", Nix: "nix 2", Load: "0.1", LoadAfter: "0.2", Rows: []Row{
		{Situation: "a", OursTook: bench.Summarize([]float64{1}), TheirsTook: bench.Summarize([]float64{2}), Ratios: bench.Summarize([]float64{2})},
		{Situation: "c", OursTook: bench.Summarize([]float64{1}), TheirsTook: bench.Summarize([]float64{230}), Ratios: bench.Summarize([]float64{230})},
		{Situation: "b", OursTook: bench.Summarize([]float64{1, 2, 3, 4, 5, 6}), TheirsTook: bench.Summarize([]float64{2, 2, 2, 2, 2, 2}), Ratios: bench.Summarize([]float64{1, 2, 3, 4, 5, 6})},
	}}
	want := "| a | 1.00 s | 2.00 s | 2 |\n| c | 1.00 s | 230 s | 230 |\n| b | 3.50 s (1.00 s to 6.00 s) | 2.00 s (2.00 s to 2.00 s) | 3.5 (1 to 6) |\n"
	if got := r.Markdown(); !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
}
