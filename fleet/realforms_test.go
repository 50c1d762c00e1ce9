package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// realForm is a flake, in a directory of its repository, and how it is edited.
type realForm struct {
	name  string
	files map[string]string
	sub   string
	steps []string
}

const formsFlake = `{ INPUTS outputs = inputs@{ self, ... }: let
  mk = name: text: { config.system.build.toplevel = derivation { name = "nixos-system-${name}"; system = "x86_64-linux"; builder = "/bin/sh"; text = builtins.toString text; }; };
  in BODY; }`

func formFlake(inputs, body string) string {
	return strings.NewReplacer("INPUTS", inputs, "BODY", body).Replace(formsFlake)
}

// Forms of reading that flakes have, those of well-known code of inputs imitated: each was once, or might
// be, taken for unchanged wrongly.
func TestRealForms(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix, and time")
	}
	attacks := attackForms()
	all := slices.Concat(attacks, realForms, realForms, copyForms())
	for i, form := range all {
		watch := watchAll
		switch {
		case i < len(attacks):
			watch = watchVague
		case i < len(attacks)+len(realForms):
			watch = watchNone
		}
		t.Run(fmt.Sprintf("%s, %d", form.name, watch), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &soak{t: t, base: dir, checkout: checkout{dir: filepath.Join(dir, "repo", form.sub)}, r: rand.New(rand.NewPCG(1, 1))}
			for name, text := range form.files {
				s.write(name, strings.ReplaceAll(text, "@DIR@", dir))
			}
			s.write("notes", "0")
			s.write("@none/flake.nix", "{ outputs = { self }: { }; }")
			s.must("cd " + dir + "/repo && git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A")
			s.must("nix --extra-experimental-features 'nix-command flakes' flake lock 2>/dev/null; git add -A . && git commit -q -m 0")
			f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}, Verify: true})
			if err != nil {
				t.Fatal(err)
			}
			f.watch = watch
			hosts := []Host{{Name: "a", Attr: "a"}, {Name: "b", Attr: "b"}}
			avoided, wrong := 0, 0
			steps := append([]string{"true", "echo x >>notes", "echo x >>notes", "git add -A; git commit -q -m 1", "echo x>>notes", "git add -A; git commit -q -m 2", "echo x>>notes"}, form.steps...)
			for i, step := range steps {
				s.must(step)
				for _, h := range hosts {
					r := f.run(t.Context(), []Host{h}, func(ctx context.Context, j *job) (Outcome, error) {
						_, err := j.evaluate(ctx, false)
						return Evaluated, err
					})
					err := r.Err()
					reason := r.Results[0].Evaluation.Reason
					if strings.Contains(reason, "to verify") {
						avoided++
					}
					if err != nil {
						wrong++
						t.Errorf("step %d %q, %s: %v", i, step, h.Name, err)
					}
				}
			}
			t.Logf("%d foretold, %d wrong", avoided, wrong)
		})
	}
}
