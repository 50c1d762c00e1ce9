package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// answers evaluates several hosts of the test flake in one evaluator, in order.
func answers(t *testing.T, nix *Client, names ...string) (found []Evaluation, err error) {
	t.Helper()
	var what []Installable
	for _, name := range names {
		what = append(what, host(t, name))
	}
	begun := 0
	err = nix.EvaluateTogether(t.Context(), what, TogetherOptions{
		Begun: func(i int) {
			if i != begun || i != len(found) {
				t.Errorf("%d begins after %d had begun and %d were found", i, begun, len(found))
			}
			begun++
		},
		Found: func(i int, ev Evaluation) {
			if i != begun-1 {
				t.Errorf("%d is found, %d have begun", i, begun)
			}
			found = append(found, ev)
		},
	})
	return found, err
}

// One evaluator says of each what one for it alone says.
func TestRealEvaluateTogether(t *testing.T) {
	nix, dir := realClient(t)
	names := []string{"web", "warns", "a.b 100%#?", "self-import", "multi", "system", "web"}
	found, err := answers(t, nix, names...)
	if err != nil || len(found) != len(names) {
		t.Fatalf("%v, %v", found, err)
	}
	for i, name := range names {
		alone, err := nix.Evaluate(t.Context(), host(t, name), EvaluateOptions{Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		if f := found[i]; f.Derivation != alone.Derivation || f.Toplevel != alone.Toplevel || !f.Together || !slices.Equal(f.Warnings, alone.Warnings) {
			t.Errorf("%s: together %+v, alone %+v", name, f, alone)
		}
		if paths, err := nix.Build(t.Context(), []StorePath{found[0].Derivation}, BuildOptions{}); err != nil || !slices.Contains(paths, found[0].Toplevel) {
			t.Errorf("its derivation cannot be built: %v, %v", paths, err)
		}
	}
	// A dirty tree is everybody's.
	if err := os.WriteFile(filepath.Join(dir, "hosts", "web.nix"), []byte(`{ name = "changed"; }`), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err = answers(t, nix, "web", "self-import")
	if err != nil || len(found) != 2 || len(found[0].Warnings) != 1 || len(found[1].Warnings) != 1 || found[0].Toplevel.Name() != "changed" {
		t.Errorf("dirty: %+v, %v", found, err)
	}
}

// What was found before the one that fails is good.
func TestRealTogetherWithErrors(t *testing.T) {
	nix, _ := realClient(t)
	for _, broken := range []string{"throws", "asserts", "syntax", "nosuch"} {
		found, err := answers(t, nix, "web", broken, "multi")
		var e *EvalError
		if !errors.As(err, &e) || len(found) != 1 || found[0].Toplevel.Name() != "nixos-system-web-26.05" {
			t.Errorf("%s: %+v, %v", broken, found, err)
		}
	}
}

func TestRealInEvaluationCache(t *testing.T) {
	nix, _ := realClient(t)
	for _, want := range []bool{false, true} {
		if got, err := nix.InEvaluationCache(t.Context(), host(t, "web")); err != nil || got != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		mustEvaluate(t, nix, "web")
	}
	if got, err := nix.InEvaluationCache(t.Context(), host(t, "throws")); got {
		t.Errorf("%v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nix.InEvaluationCache(ctx, host(t, "web")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Names are text, whatever they hold.
func TestTogetherExpression(t *testing.T) {
	one := host(t, "a.b ${x}")
	got := togetherExpression("mark ", []Installable{host(t, "web"), one})
	for _, want := range []string{` (_: each "0" set."web"."config"."system"."build"."toplevel")`, ` (_: each "1" set."a.b \${x}"."config"`, `"mark ${text}"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if got, want := nixString("\"\\${}$"), `"\"\\\${}$"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	other, err := FlakeAttr(".", "packages", "x", "y")
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range [][]Installable{nil, {one, other}, {{ref: ".", attr: []string{"a"}}}} {
		if err := New(Config{}).EvaluateTogether(t.Context(), what, TogetherOptions{}); err == nil {
			t.Errorf("%v", what)
		}
	}
}

// A log that is not what the expression prints is an error, and nothing in it is
// believed from there on.
func TestTogetherLog(t *testing.T) {
	drv, top := string(drvNumber(1)), strings.TrimSuffix(string(drvNumber(1)), ".drv")
	for name, c := range map[string]struct {
		lines []string
		found int
		bad   bool
	}{
		"as it should be":      {[]string{"begun 0", "found 0 " + drv + " " + top, "begun 1", "found 1 " + drv + " " + top}, 2, false},
		"another's turn":       {[]string{"begun 1"}, 0, true},
		"not begun":            {[]string{"found 0 " + drv + " " + top}, 0, true},
		"twice":                {[]string{"begun 0", "found 0 " + drv + " " + top, "found 0 " + drv + " " + top}, 1, true},
		"no path":              {[]string{"begun 0", "found 0 x y", "begun 0", "found 0 " + drv + " " + top}, 0, true},
		"content-addressed":    {[]string{"begun 0", "found 0 " + drv + " /1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9"}, 0, true},
		"a word more":          {[]string{"begun 0 0"}, 0, true},
		"something else again": {[]string{""}, 0, true},
	} {
		found := 0
		l := togetherLog{mark: "mark ", opt: TogetherOptions{Found: func(int, Evaluation) { found++ }}}
		for _, line := range c.lines {
			l.line(fmt.Sprintf(`@nix {"action":"msg","level":0,"msg":"trace: mark %s"}`, line))
		}
		if found != c.found || (l.err != nil) != c.bad {
			t.Errorf("%s: %d found, %v", name, found, l.err)
		}
	}
}
