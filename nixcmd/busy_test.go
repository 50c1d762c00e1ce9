package nixcmd

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Seen with Nix 2.34: of four evaluators that started at once, one gave up with
// "SQLite database '/nix/var/nix/db/db.sqlite' is busy" after 0.05 s. A busy
// database is tried again; other errors are not. Nor is a store that another process
// makes just then a corrupt one: with Nix 2.34 all of four in a new one said so.
func TestBusyDatabaseIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name, message string
		calls         int
		fails         bool
	}{
		{"busy once", "SQLite database '/nix/var/nix/db/db.sqlite' is busy", 2, false},
		{"made for the first time", `\"/nix/var/nix/db/schema\" is corrupt`, 2, false},
		{"another error", "undefined variable 'busy'", 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{
				"nix": `#!/bin/sh
[ "$1" != --version ] || { echo 'nix (Nix) 2.34.8'; exit; }
echo >>"$0.calls"
if [ ! -e "$0.failed" ]; then
  touch "$0.failed"
  printf '@nix {"action":"msg","level":0,"msg":"error: %s","raw_msg":"%s"}\n' "$MESSAGE" "$MESSAGE" >&2
  exit 1
fi
echo /nix/store/00000000000000000000000000000000-x.drv
`,
				"nix-store": "#!/bin/sh\necho /nix/store/11111111111111111111111111111111-x\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			client := New(Config{Program: filepath.Join(dir, "nix"), Env: []string{"MESSAGE=" + c.message}})
			what, err := FlakeAttr(".", "x")
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Evaluate(t.Context(), what, EvaluateOptions{})
			if (err != nil) != c.fails {
				t.Errorf("error: %v", err)
			}
			var eval *EvalError
			if c.fails && !errors.As(err, &eval) {
				t.Errorf("%T", err)
			}
			calls, err := os.ReadFile(filepath.Join(dir, "nix.calls"))
			if err != nil || len(calls) != c.calls {
				t.Errorf("%d calls, %v", len(calls), err)
			}
		})
	}
}

// The same for the two checks, of which one is another program and the other has
// the failure among its findings.
func TestBusyDatabaseIsTriedAgainByChecks(t *testing.T) {
	const script = `#!/bin/sh
[ "$1" != --version ] || { echo 'nix (Nix) 2.34.8'; exit; }
if [ ! -e "$0.failed" ]; then
  touch "$0.failed"
  m="SQLite database '/nix/var/nix/db/db.sqlite' is busy"
  printf '@nix {"action":"msg","level":0,"msg":"error: %s","raw_msg":"%s"}\n' "$m" "$m" >&2
  exit 1
fi
`
	dir := t.TempDir()
	for _, name := range []string{"nix", "nix-instantiate"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.nix"), []byte("{ }"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := New(Config{Program: filepath.Join(dir, "nix"), Dir: dir})
	if bad, err := client.CheckSyntax(t.Context(), []string{"a.nix"}); err != nil || len(bad) > 0 {
		t.Errorf("syntax: %v, %v", bad, err)
	}
	if answer, err := client.CheckFlake(t.Context()); err != nil || len(answer.Problems) > 0 {
		t.Errorf("flake: %v, %v", answer.Problems, err)
	}
	for _, name := range []string{"nix.failed", "nix-instantiate.failed"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
