package archtest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// rule is one thing the repository is held to. Its breaches are listed in the
// order of the files. A rule keeps no state.
type rule struct {
	name  string
	check func(context.Context, *tree) []violation
}

// rules are all rules; each has its counter-example in testdata/NAME.txtar.
func rules() []rule {
	return []rule{
		{"imports", checkImports},
		{"processes", checkProcesses},
		{"mage", checkMage},
		{"silence", checkSilence},
		{"names", checkNames},
		{"state", checkState},
		{"packagedocs", checkPackageDocs},
		{"docs", checkDocs},
		{"records", checkRecords},
		{"scripts", checkScripts},
		{"texts", checkTexts},
	}
}

// TestTheHouse holds this checkout to every rule.
func TestTheHouse(t *testing.T) {
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, ".git")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("not a git checkout: what belongs to the repository is not known")
	}
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed: what belongs to the repository is not known")
	}
	house, err := readTree(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, v := range r.check(t.Context(), house) {
				t.Error(v)
			}
		})
	}
}

// TestEveryRuleCanFail proves each rule on a small tree. An archive holds the
// tree and, in the file "want", the breaches to be found: path:line: and a part
// of the message. Whatever else the tree holds must pass.
func TestEveryRuleCanFail(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			bad, want := readArchive(t, filepath.Join("testdata", r.name+".txtar"))
			if len(want) == 0 {
				t.Fatal("the counter-example wants no breach")
			}
			got := r.check(t.Context(), bad)
			for _, w := range want {
				place, part, _ := strings.Cut(w, ": ")
				i := slices.IndexFunc(got, func(v violation) bool {
					return strings.HasPrefix(v.String(), place+": ") && strings.Contains(v.text, part)
				})
				if i < 0 {
					t.Errorf("not found: %s", w)
					continue
				}
				got = slices.Delete(got, i, i+1)
			}
			for _, v := range got {
				t.Errorf("found but not wanted: %s", v)
			}
		})
	}
}

// readArchive is the tree in a txtar archive and the breaches it wants.
func readArchive(t *testing.T, name string) (bad *tree, want []string) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var texts []textFile
	for _, f := range archive.Files {
		if f.Name != "want" {
			texts = append(texts, textFile{f.Name, string(f.Data)})
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			if line = strings.TrimSpace(line); line != "" {
				want = append(want, line)
			}
		}
	}
	if bad, err = newTree("/srv/checkout", texts); err != nil {
		t.Fatal(err)
	}
	return bad, want
}

// TestRepositoryFiles proves what counts as part of a repository: files that
// are tracked or could be, and none that are ignored, deleted or symlinks.
func TestRepositoryFiles(t *testing.T) {
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	root := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		c := proc.Cmd{Argv: append([]string{"git"}, args...), Dir: root,
			Env: proc.Environ("GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")}
		if _, err := proc.Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		".gitignore": "ignored\n", "ignored": "x", "tracked.go": "package x\n", "gone": "x",
		"ünusual name": "x", "testdata/broken.go": "not Go",
	} {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "--quiet")
	git("add", "tracked.go", "gone")
	if err := errors.Join(os.Remove(filepath.Join(root, "gone")),
		os.Symlink("tracked.go", filepath.Join(root, "link.go"))); err != nil {
		t.Fatal(err)
	}
	got, err := readTree(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range got.texts {
		names = append(names, f.path)
	}
	if want := []string{".gitignore", "testdata/broken.go", "tracked.go", "ünusual name"}; !slices.Equal(names, want) {
		t.Errorf("got files %q, want %q", names, want)
	}
	if len(got.golang) != 1 {
		t.Errorf("got %d Go files, want 1", len(got.golang))
	}
}

// TestBrokenGoIsAnError proves that a file that cannot be parsed is not passed
// over: nothing in it would be checked.
func TestBrokenGoIsAnError(t *testing.T) {
	if _, err := newTree("", []textFile{{"fleet/x.go", "package fleet\nfunc {"}}); err == nil || !strings.Contains(err.Error(), "fleet/x.go:2") {
		t.Errorf("got %v, want an error at fleet/x.go:2", err)
	}
}
