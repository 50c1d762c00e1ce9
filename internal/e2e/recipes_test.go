package e2e

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// importer compiles the targets of another repository, whose magefile does
// nothing but import the recipes, and returns the binary.
func importer(t *testing.T) string {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":     "module example.org/homelab\n\ngo 1.26\n\nrequire github.com/nixflotilla/flotilla v0.0.0\n\nreplace github.com/nixflotilla/flotilla => " + checkout + "\n",
		"go.sum":     string(sums),
		"flake.nix":  "{}",
		"fleet.toml": "[hosts.p620]\n",
		"magefile.go": `//go:build mage

package main

//mage:import
import _ "github.com/nixflotilla/flotilla/recipes"
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "homelab")
	// Without a network: all that is needed was needed by this test's binary too.
	_, err = proc.Run(t.Context(), proc.Cmd{
		Argv: []string{"go", "run", "github.com/magefile/mage", "-compile", binary}, Dir: dir,
		Env: proc.Environ("GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// targets are the names and lines that -l lists.
func targets(t *testing.T, binary string) map[string]string {
	t.Helper()
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{binary, "-l"}})
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(res.Stdout), "Targets:\n")
	all := map[string]string{}
	for line := range strings.Lines(list) {
		if name, text, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all[name] = strings.TrimSpace(text)
		}
	}
	return all
}

// Another repository gets every recipe with a magefile that imports them, and
// each says in a line what it does.
func TestImportedRecipes(t *testing.T) {
	binary := importer(t)
	imported := targets(t, binary)
	for _, name := range []string{
		"quickDeploy", "quickTest", "quickAll", "deploy", "deployFast", "deployLocalBuild", "deployCached", "emergencyDeploy",
		"deployAll", "deployAllParallel", "testAll", "testAllParallel", "testHost", "buildAllParallel", "generations", "rollback", "reboot", "plan", "dryRun", "diff", "pingHosts", "health",
		"benchHost", "perfParallel", "perfMemory", "perfCache",
	} {
		if imported[name] == "" {
			t.Errorf("no target %s", name)
		}
	}
	for _, name := range []string{
		"plan", "dryRun", "diff", "deploy", "quickDeploy", "deployFast", "deployLocalBuild", "deployCached", "emergencyDeploy", "deployAll",
		"deployAllParallel", "quickAll", "testHost", "testAll", "testAllParallel", "quickTest", "buildAllParallel", "validate", "checkSyntax", "pingHosts",
	} {
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{binary, "-h", name}})
		if err != nil {
			t.Fatal(err)
		}
		help, deploys := string(res.Stdout), strings.Contains(strings.ToLower(name), "deploy") || name == "quickAll"
		if !strings.Contains(help, "-json=<bool>") || strings.Contains(help, "-dry=<bool>") != deploys {
			t.Errorf("%s does not take -json, or -dry: %s", name, help)
		}
	}
	own := targets(t, flotilla)
	for _, name := range slices.Sorted(maps.Keys(imported)) {
		if own[name] != imported[name] {
			t.Errorf("%s: %q here, %q there", name, own[name], imported[name])
		}
		if n := len(imported[name]); n > 100 {
			t.Errorf("%s: a line of %d columns", name, n)
		}
	}

	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"quickDeploy", "p62"}, 1, `there is no host "p62"; did you mean p620?`},
		{[]string{"deployAll"}, 1, "There is no terminal to ask on"},
		{[]string{"quickDeploy"}, 2, "not enough arguments"},
	} {
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{binary}, c.args...), Dir: filepath.Dir(binary)})
		var pe *proc.Error
		if !errors.As(err, &pe) || res.Code != c.code || !strings.Contains(string(res.Stderr), c.says) {
			t.Errorf("%v: exit code %d, want %d and %q: %v\n%s", c.args, res.Code, c.code, c.says, err, res.Stderr)
		}
	}
}

// The targets of that other repository drive real hosts.
func TestImportedRecipesDriveHosts(t *testing.T) {
	m := inLab(t)
	m.deployed()
	binary, err := os.ReadFile(importer(t))
	if err != nil {
		t.Fatal(err)
	}
	const there = "/tmp/homelab-targets"
	m.place(there, binary)
	t.Cleanup(func() { m.must(lab.Control, "rm "+there) })
	m.run(there + " quickDeploy p510").exits(0).says("p510: unchanged")
	m.set("p510", `environment.etc.motd.text = "imported";`)
	before := m.settled("p510")
	m.run(there + " quickDeploy p510").exits(0)
	if m.settled("p510") == before {
		t.Error("p510 was not deployed")
	}
}

// Each of these deploys a change: they differ in what they ask and promise, not
// in what protects the host.
func TestEveryDeployingRecipe(t *testing.T) {
	m := inLab(t)
	m.deployed()
	for _, line := range []string{
		"deploy p510", "deployFast p510", "deployLocalBuild p510", "emergencyDeploy p510 -yes",
		"deployAll -on=p510 -yes", "deployAllParallel -on=p510 -yes", "quickAll -on=p510 -yes", "p510",
	} {
		m.must(lab.Control, "git reset --quiet --hard")
		m.set("p510", `environment.etc.motd.text = "`+line+`";`)
		before := m.settled("p510")
		m.run("flotilla "+line).exits(0).says("runs and boots", "p510: switched")
		if m.settled("p510") == before {
			t.Errorf("%s: not deployed", line)
		}
	}
	// Confirmed, not touched.
	m.run("flotilla deployAll -yes").exits(0).row("p510", "unchanged").row("dex5550", "unchanged")
	m.run("flotilla deployAll -on=p510 -yes -force").exits(0).says("asked for", "p510: switched")
}

// deployAll stops at the first host that fails: those behind it are not touched
// and say why. -keepGoing goes on.
func TestDeployAllStops(t *testing.T) {
	m := inLab(t)
	m.deployed()
	hosts := lab.Hosts()
	first, second, third := hosts[0], hosts[1], hosts[2]
	m.set(first, `environment.etc.motd.text = "first";`)
	m.set(second, "lab.failBuild = true;")
	m.set(third, `environment.etc.motd.text = "third";`)
	beforeFirst, beforeThird := m.settled(first), m.settled(third)
	o := m.run("flotilla deployAll -yes").exits(3).row(second, "failed")
	for _, h := range hosts[2:] {
		o.row(h, "skipped").says("not tried, because " + second + " ended as failed")
	}
	if m.settled(first) == beforeFirst || m.settled(third) != beforeThird {
		t.Error("the first was not deployed, or the third was")
	}
	m.run("flotilla deployAll -yes -keepGoing").exits(3).row(first, "unchanged").row(second, "failed")
	if m.settled(third) == beforeThird {
		t.Error("-keepGoing did not go on")
	}
}

// quickAll deploys nothing unless every host's test passed.
func TestQuickAllWantsEveryTest(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("razer", "lab.failBuild = true;")
	m.set("p510", `environment.etc.motd.text = "good";`)
	before := m.settled("p510")
	m.run("flotilla quickAll -yes").exits(3).row("razer", "failed").row("p510", "built")
	if m.settled("p510") != before {
		t.Error("deployed although a test had failed")
	}
}

// quickAll asks after the tests. Ctrl-C at the question deploys nothing; what is
// deployed after a yes is what was tested, although the flake has changed.
func TestQuickAllDeploysWhatItTested(t *testing.T) {
	m := inLab(t)
	m.deployed()
	// The question is asked on a terminal; what is typed comes from a FIFO, once
	// the question is on the screen and a command has run.
	ask := func(meanwhile, typed string) outcome {
		t.Helper()
		return m.run(`d=$(mktemp -d) && mkfifo $d/in && exec 3<>$d/in
			TERM=xterm script -qefc 'flotilla quickAll -on=p510' $d/screen <$d/in >/dev/null 2>&1 & pid=$!
			while kill -0 $pid && ! grep -q 'Every test passed' $d/screen; do sleep 0.1; done 2>/dev/null
			` + meanwhile + `
			printf '` + typed + `' >&3; wait $pid; code=$?; cat $d/screen; rm -r $d; exit $code`)
	}
	m.set("p510", `environment.etc.motd.text = "tested";`)
	before := m.settled("p510")
	ask("true", `\003`).exits(130).says("Every test passed. Deploy p510 at once?", "nothing was done")
	ask("true", `n\n`).exits(1).says("not confirmed")
	if m.settled("p510") != before {
		t.Error("deployed without a yes")
	}
	ask(`sed -i 's/tested/edited/' hosts/p510/default.nix`, `y\n`).exits(0)
	m.settled("p510")
	if motd := m.must("p510", "cat /etc/motd"); !strings.Contains(motd, "tested") {
		t.Errorf("deployed is not what was tested: %q", motd)
	}
}

// buildAllParallel answers with what it built, which no garbage collector takes.
func TestBuildAllParallel(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	o := m.run("flotilla buildAllParallel").exits(0)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if len(lines) != len(lab.Hosts()) {
		t.Fatalf("%d lines:\n%s", len(lines), o.stdout)
	}
	roots := m.must(lab.Control, "nix-store --gc --print-roots")
	for i, line := range lines {
		host, path, _ := strings.Cut(line, " ")
		if host != lab.Hosts()[i] || !strings.Contains(path, "-nixos-system-"+host+"-") || !strings.Contains(roots, " -> "+path) {
			t.Errorf("%q is not the host's path, or is no root", line)
		}
	}
	m.run("flotilla buildAllParallel -json").exits(0).says(`"outcome":"built"`, lines[0][strings.Index(lines[0], "/"):])
}

// A cache that is down costs a warning, not the deployment.
func TestDeployCachedWithoutTheCache(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.run("flotilla deployCached p510").exits(1).says("fleet.toml: has no [cache]")
	m.must(lab.Control, `printf '\n[cache]\nurl = "http://p620:5999"\npublic-key = "p620-1:%s"\n' "$(head -c 32 /dev/zero | base64)" >>fleet.toml`)
	m.set("p510", `environment.etc.motd.text = "without the cache";`)
	m.run("flotilla deployCached p510").exits(0).says("the fleet's cache http://p620:5999 is left out: ", "connection refused", "p510: switched")
	m.settled("p510")
}

// docs/recipes.md has a row for each recipe of the guide and for each other
// target, and names only targets and tests that exist.
func TestRecipesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	proofs := ""
	for _, s := range scripts {
		proofs += "`" + filepath.Base(s) + "` "
	}
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		source, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllStringSubmatch(string(source), -1) {
			proofs += "`" + m[1] + "` "
		}
	}
	there := targets(t, flotilla)
	named := regexp.MustCompile("`([^` ]+)[^`]*`")
	rows, told := 0, map[string]bool{}
	for line := range strings.Lines(string(text)) {
		column := strings.Split(line, "|")
		if len(column) < 5 || len(column) > 6 || !strings.Contains(column[1], "`") {
			continue
		}
		// The guide's recipes have a column in front, which other targets lack.
		if len(column) == 6 {
			rows++
			column = column[1:]
		}
		targets, tests := named.FindAllStringSubmatch(column[1], -1), named.FindAllString(column[3], -1)
		if missing := strings.Contains(column[3], "not there yet"); missing != (len(tests) == 0) || missing != (len(targets) == 0) {
			t.Errorf("neither there nor missing: %s", line)
		}
		for _, m := range targets {
			if told[m[1]] = true; there[m[1]] == "" {
				t.Errorf("there is no target %q", m[1])
			}
		}
		for _, name := range tests {
			if !strings.Contains(proofs, name) {
				t.Errorf("there is no test %s", name)
			}
		}
	}
	for name := range targets(t, importer(t)) {
		if !told[name] {
			t.Errorf("the target %s is in no table", name)
		}
	}
	if rows != 22 {
		t.Errorf("%d rows; the guide's recipes are 22", rows)
	}
}
