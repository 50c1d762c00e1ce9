package e2e

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// Tests of packages that need a real sshd or a real Nix, which the machine that
// runs `go test` need not have: they are run once more where both are.
func TestPackagesInTheLab(t *testing.T) {
	m := inLab(t)
	for _, c := range []struct {
		folder, run string
		in          func(lab.ExecOptions) (proc.Result, error)
		name        string
	}{
		{"sshpool", ".", func(o lab.ExecOptions) (proc.Result, error) { return m.Exec(t.Context(), o) }, "OpenSSH 10"},
		{"nixcmd", "Real", func(o lab.ExecOptions) (proc.Result, error) { return m.Exec(t.Context(), o) }, "Nix 2.26"},
		{"nixcmd", "Real", func(o lab.ExecOptions) (proc.Result, error) { return m.Compat(t.Context(), o) }, "Nix 2.34"},
	} {
		t.Run(c.folder+"/"+c.name, func(t *testing.T) {
			dir := t.TempDir()
			folder, err := filepath.Abs("../../" + c.folder)
			if err != nil {
				t.Fatal(err)
			}
			// Static, without the race detector, so that it runs in any image; with
			// it these tests run on the machine itself, as far as they can.
			_, err = proc.Run(t.Context(), proc.Cmd{Dir: folder, Env: proc.Environ("CGO_ENABLED=0"),
				Argv: []string{"go", "test", "-c", "-o", filepath.Join(dir, "the.test"), "."}})
			if err != nil {
				t.Fatal(err)
			}
			packed, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"tar", "-c", "-C", dir, "the.test", "-C", folder, "testdata"}})
			if err != nil {
				t.Fatal(err)
			}
			res, err := c.in(lab.ExecOptions{
				Stdin: bytes.NewReader(packed.Stdout), Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
				Argv: []string{"/bin/sh", "-c", `d=$(mktemp -d) && cd "$d" && tar -x && ./the.test -test.v -test.run "$1"; code=$?; rm -rf "$d"; exit $code`, "sh", c.run},
			})
			out := string(res.Stdout) + string(res.Stderr)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if n := strings.Count(out, "--- PASS"); n < 3 {
				t.Errorf("only %d tests ran:\n%s", n, out)
			}
			for line := range strings.Lines(out) {
				if strings.Contains(line, "--- SKIP") || strings.Contains(line, "skip") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}
