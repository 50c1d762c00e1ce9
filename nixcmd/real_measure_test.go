package nixcmd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// What a real Nix says of itself, its store and the flake.
func TestRealInstallation(t *testing.T) {
	nix, dir := realClient(t)
	if info, err := nix.StoreInfo(t.Context()); err != nil || info.URL != "local" && info.URL != "daemon" || info.Untrusted {
		t.Errorf("store %+v, %v", info, err)
	}
	nix.cfg.Options = []Option{{"substituters", "http://a http://b http://a"}, {"trusted-public-keys", "k-1:AAAA"}, {"sandbox", "false"}}
	s, err := nix.Settings(t.Context())
	if err != nil || !slices.Equal(s.Substituters, []string{"http://a", "http://b"}) || !slices.Equal(s.TrustedPublicKeys, []string{"k-1:AAAA"}) || !s.RequireSigs {
		t.Errorf("%+v, %v", s, err)
	}
	head, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"git", "-C", dir, "rev-parse", "HEAD"}})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(head.Stdout))
	if rev, dirty, err := nix.Revision(t.Context()); err != nil || rev != want || dirty {
		t.Errorf("revision %q, dirty %v, %v; want %q", rev, dirty, err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), append(must(os.ReadFile(filepath.Join(dir, "flake.nix"))), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if rev, dirty, err := nix.Revision(t.Context()); err != nil || rev != want || !dirty {
		t.Errorf("dirty: revision %q, dirty %v, %v; want %q", rev, dirty, err, want)
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// Derivations are described alike by every version, and built again without
// changing what is there.
func TestRealRebuild(t *testing.T) {
	nix, dir := realClient(t)
	flake := `{ outputs = _: let d = name: attrs: derivation ({ inherit name; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/bin:/usr/bin";
  args = [ "-c" "echo again >&2; echo fixed >$out" ]; } // attrs); in { pkg = {
    top = d "top" { preferLocalBuild = true; needs = [ (d "plain" {}) (d "never-fetched" { allowSubstitutes = false; })
      (d "download" { outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "sha256-M/l1hcZxI9OcrFZNV/l0L7pzZ2RJuW/cAFEP5qL8pcI="; preferLocalBuild = true; args = [ "-c" "printf x >$out" ]; }) ]; };
    random = d "random" { args = [ "-c" "date +%N >$out" ]; };
  }; }; }`
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte(flake), 0o600); err != nil {
		t.Fatal(err)
	}
	evaluate := func(name string) Evaluation {
		what, err := FlakeAttr(".", "pkg", name)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := nix.Evaluate(t.Context(), what, EvaluateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return ev
	}
	top, random := evaluate("top"), evaluate("random")
	shown, err := nix.Derivations(t.Context(), []StorePath{top.Derivation})
	if err != nil || len(shown) != 1 || !shown[0].Local || shown[0].FixedOutput || len(shown[0].Inputs) != 3 || !slices.Equal(shown[0].Outputs, []StorePath{top.Toplevel}) {
		t.Fatalf("%+v, %v", shown, err)
	}
	inputs, err := nix.Derivations(t.Context(), shown[0].Inputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range inputs {
		name := d.Path.Name()
		if d.Local != (name != "plain.drv") || d.FixedOutput != (name == "download.drv") || len(d.Outputs) > 1 || len(d.Outputs) == 0 && !d.FixedOutput {
			t.Errorf("%+v", d)
		}
	}

	missing, err := nix.Missing(t.Context(), []StorePath{random.Toplevel, random.Derivation})
	if err != nil || !slices.Equal(missing, []StorePath{random.Toplevel}) {
		t.Errorf("missing %v, %v", missing, err)
	}
	drvs := []StorePath{shown[0].Path, random.Derivation}
	for _, d := range inputs {
		if d.Path.Name() == "never-fetched.drv" {
			drvs = append(drvs, d.Path)
		}
	}
	// The download cannot be had, its hash being another's: build the others.
	if _, err := nix.Build(t.Context(), drvs[1:], BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(string(random.Toplevel)))
	var usage Usage
	built := 0
	_, err = nix.Build(t.Context(), drvs[2:], BuildOptions{Rebuild: true, Usage: func(u Usage) { usage = u },
		Progress: func(e BuildEvent) {
			if e.Kind == BuildStarted {
				built++
			}
		}})
	if err != nil || built != 1 || usage.Duration <= 0 || usage.MaxRSS <= 0 {
		t.Errorf("%d built, %+v, %v", built, usage, err)
	}
	var failed *BuildError
	if _, err = nix.Build(t.Context(), drvs[1:], BuildOptions{Rebuild: true}); !errors.As(err, &failed) {
		t.Errorf("what differs is not found: %v", err)
	}
	if after := must(os.ReadFile(string(random.Toplevel))); !slices.Equal(before, after) {
		t.Error("the store has changed")
	}
}

// A cache that a real Nix made and signed.
func TestRealBinaryCache(t *testing.T) {
	nix, _ := realClient(t)
	ev := mustEvaluate(t, nix, "web")
	if _, err := nix.Build(t.Context(), []StorePath{ev.Derivation}, BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(stdin string, argv ...string) string {
		t.Helper()
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: argv, Stdin: strings.NewReader(stdin)})
		if err != nil {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		return string(res.Stdout)
	}
	secret := run("", realNix, "--extra-experimental-features", "nix-command", "key", "generate-secret", "--key-name", "test-1")
	public := strings.TrimSpace(run(secret, realNix, "--extra-experimental-features", "nix-command", "key", "convert-secret-to-public"))
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := nix.Copy(t.Context(), []StorePath{ev.Toplevel}, CopyOptions{To: "file://" + dir + "?secret-key=" + key}); err != nil {
		t.Fatal(err)
	}
	cache, err := OpenBinaryCache("file://" + dir)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	if took, err := cache.Ping(t.Context()); err != nil || took <= 0 || took > time.Minute {
		t.Errorf("%v, %v", took, err)
	}
	info, found, err := cache.Lookup(t.Context(), ev.Toplevel)
	if err != nil || !found || info.NarSize <= 0 || info.FileSize <= 0 {
		t.Fatalf("%+v, %v, %v", info, found, err)
	}
	other := "test-1:" + strings.Repeat("A", 43) + "="
	if !cache.Takes(info, []string{other, public}) || cache.Takes(info, []string{other}) || cache.Takes(info, nil) {
		t.Errorf("signatures of %+v with %s", info, public)
	}
	n := int64(0)
	if err := cache.Download(t.Context(), info, func(k int) { n += int64(k) }); err != nil || n != info.FileSize {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, found, err := cache.Lookup(t.Context(), ev.Derivation); err != nil || found {
		t.Errorf("not in it: %v, %v", found, err)
	}
}
