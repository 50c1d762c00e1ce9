package nixcmd

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What Nix 2.26 and 2.34 log of an evaluation that lists, probes or imports what it
// builds, whether it had to be built or was there; and of one whose input was not in
// the store, for which they start a worker, too.
func TestEvaluationsThatBuild(t *testing.T) {
	for name, c := range map[string]struct {
		log  string
		want bool
	}{
		"2.26, built": {`@nix {"action":"start","id":586,"level":0,"parent":0,"text":"","type":102}
@nix {"action":"start","id":587,"level":0,"parent":0,"text":"","type":104}
@nix {"action":"start","id":588,"level":0,"parent":0,"text":"","type":103}
@nix {"action":"result","fields":[0,1,0,0],"id":587,"type":105}
@nix {"action":"start","fields":["/nix/store/ly6ac7vfrha44ncgh4bvj7f3njjd490w-l.drv","",1,1],"id":590,"level":3,"parent":0,"text":"building","type":105}
@nix {"action":"result","fields":[1,1,0,0],"id":587,"type":105}`, true},
		"2.26, there": {`@nix {"action":"start","id":843,"level":0,"parent":0,"text":"","type":104}
@nix {"action":"result","fields":[0,1,0,0],"id":843,"type":105}
@nix {"action":"result","fields":[0,0,0,0],"id":843,"type":105}`, true},
		"2.34, there": {`@nix {"action":"start","id":322,"level":0,"parent":0,"text":"","type":104}
@nix {"action":"result","fields":[0,0,0,0],"id":322,"type":105}
@nix {"action":"result","fields":[0,1,0,0],"id":322,"type":105}
@nix {"action":"result","fields":[0,0,0,0],"id":322,"type":105}`, true},
		"an input that is fetched": {`@nix {"action":"start","id":834,"level":0,"parent":0,"text":"","type":104}
@nix {"action":"start","id":835,"level":0,"parent":0,"text":"","type":103}
@nix {"action":"result","fields":[0,0,0,0],"id":834,"type":105}
@nix {"action":"result","fields":[1,1,0,0],"id":835,"type":105}
@nix {"action":"start","id":836,"level":6,"parent":0,"text":"querying info about missing paths","type":0}
@nix {"action":"stop","id":834}`, false},
		"nothing": {`@nix {"action":"start","id":107,"level":5,"parent":0,"text":"copying '/root/i/r' to the store","type":0}`, false},
	} {
		var g evalLog
		for line := range strings.Lines(c.log) {
			g.line(strings.TrimSuffix(line, "\n"))
		}
		if g.builds != c.want {
			t.Errorf("%s: builds is %v", name, g.builds)
		}
	}
}

// Every version's log shows whether Nix's evaluation cache had the answer, and what was
// imported if not. Determinate Nix reads the flake of its own schemas, either way, and a
// flake that gives others reads theirs.
func TestCachedAnswersAreTold(t *testing.T) {
	versions, err := filepath.Glob("testdata/2.*")
	if err != nil || len(versions) < 3 {
		t.Fatal(versions, err)
	}
	read := func(file string, besides ...string) *evalLog {
		r, err := readRecording(file)
		if err != nil {
			t.Fatal(err)
		}
		g := &evalLog{}
		for line := range strings.Lines(r.stderr) {
			g.line(strings.TrimSuffix(line, "\n"))
		}
		for _, b := range besides {
			g.evaluating(b)
		}
		return g
	}
	for _, v := range versions {
		if g := read(v + "/eval-web-cached.txtar"); !g.cached() {
			t.Errorf("%s: the cached answer imports %q", v, g.imports())
		}
		if g := read(v+"/eval-web-cached.txtar", "«github:x/schemas/1»/flake.nix"); !g.cached() {
			t.Errorf("%s, with other schemas: the cached answer imports %q", v, g.imports())
		}
		for _, name := range []string{"eval-web", "eval-dirty"} {
			g := read(v + "/" + name + ".txtar")
			if got := g.imports(); g.cached() || !slices.Equal(got, []string{"flake.nix", "hosts/web.nix", "lib/make.nix"}) {
				t.Errorf("%s, %s: cached %v, imports %q", v, name, g.cached(), got)
			}
		}
	}
}

// Files of the flake are named as the user knows them, wherever Nix keeps its copy.
func TestErrorsNameTheFlakesFiles(t *testing.T) {
	const store = "/nix/store/cccccccccccccccccccccccccccccccc-source/"
	for _, c := range []struct{ tree, text, want string }{
		{store, "path '" + store + "hosts/x.nix' does not exist", "path 'hosts/x.nix' does not exist"},
		{store, store + "a and " + store + "b", "a and b"},
		{store, "path '/nix/store/dddddddddddddddddddddddddddddddd-source/x' does not exist", "path '/nix/store/dddddddddddddddddddddddddddddddd-source/x' does not exist"},
		{"/etc/nixos/", `/mnt/etc/nixos/a differs from "/etc/nixos/b"`, `/mnt/etc/nixos/a differs from "b"`},
		{"/", "path '/x' does not exist", "path '/x' does not exist"},
		{"", "path '/x' does not exist", "path '/x' does not exist"},
	} {
		if got := sourceTree(c.tree).relativeIn(c.text); got != c.want {
			t.Errorf("%s in %s: %s", c.tree, c.text, got)
		}
	}
	var e *EvalError
	var g evalLog
	g.line(`@nix {"action":"msg","level":4,"msg":"evaluating file '` + store + `flake.nix'"}`)
	g.line(`@nix {"action":"msg","column":null,"file":null,"level":0,"line":null,"msg":"x","raw_msg":"path '` + store + `hosts/x.nix' does not exist"}`)
	if err := g.explain(Installable{}, &Error{ExitCode: 1}); !errors.As(err, &e) || e.Message != "path 'hosts/x.nix' does not exist" {
		t.Error(err)
	}
}
