package fleet

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// keeping is a way to keep a flake.
type keeping string

const (
	keptPlain   keeping = "plain"       // code is only imported
	keptMixed   keeping = "mixed"       // it uses itself as a path, reads by helpers and names put together, imports what it builds
	keptInputs  keeping = "inputs"      // path: inside and outside, follows
	keptFilters keeping = "filters"     // Git converts its files
	keptModules keeping = "submodules"  // self.submodules
	keptTwice   keeping = "worktrees"   // two of one repository
	keptShallow keeping = "shallow"     // history is cut short
	keptBelow   keeping = "subdir"      // the flake is below the repository's root
	keptLoose   keeping = "unversioned" // no Git
)

func worlds() []keeping {
	return []keeping{keptPlain, keptMixed, keptInputs, keptFilters, keptModules, keptTwice, keptShallow, keptBelow, keptLoose}
}

func newSoak(t *testing.T, seed uint64, w keeping) *soak {
	t.Helper()
	s := &soak{t: t, r: rand.New(rand.NewPCG(seed, 7)), aside: rand.New(rand.NewPCG(seed, 8)), seed: seed, world: w, base: t.TempDir(), watch: watching(seed % 2 * (1 + seed/2%2))}
	s.tally.reasons = map[string]int{}
	s.checkout = s.newCheckout(filepath.Join(s.base, "repo"))
	if w == keptBelow || w != keptPlain && w != keptLoose && s.chance(6) {
		s.sub = "sub/flake"
	}
	s.inputs = w == keptInputs
	s.links = s.chance(2)
	if w != keptPlain && (w == keptMixed || s.chance(3)) {
		s.self, s.ifd, s.slurp, s.parts = s.chance(2), s.chance(3), s.chance(2), s.chance(2)
		s.inputs = s.inputs || s.chance(4)
	}
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"nix", "--version"}})
	if err != nil {
		t.Fatal(err)
	}
	s.newer = regexp.MustCompile(`\) (2\.(2[7-9]|[3-9]\d)|[3-9])`).Match(res.Stdout) // inputs.self.submodules

	s.write("@ext/flake.nix", s.ext())
	s.write("@ext/data.txt", "1")
	s.write("@two/flake.nix", fmt.Sprintf(`{ inputs.x.url = "path:%s/ext"; outputs = { self, x }: { value = "two " + (x.text or x.value); }; }`, s.base))
	for _, name := range s.files() {
		s.write(name, s.content(name))
	}
	if s.links {
		s.must("ln -s common link; ln -s a.txt data/link.txt")
	}
	if w != keptLoose {
		s.must("cd " + s.dir + " && git init -q -b main && git config user.name T && git config user.email t@example.org")
	}
	switch w {
	case keptFilters:
		s.must("git config filter.up.clean 'tr a-z A-Z' && git config filter.up.smudge 'tr A-Z a-z' && " +
			"git config filter.big.clean 'sed s/^/pointer:/' && git config filter.big.smudge 'sed s/^pointer://'")
		s.write(".gitattributes", s.attributes())
	case keptModules:
		s.must("mkdir -p " + s.base + "/mod && cd " + s.base + "/mod && git init -q -b main && git config user.name T && git config user.email t@example.org && " +
			"echo '{ ... }: [ \"module\" ]' >value.nix && echo 1 >data.txt && git add -A && git commit -q -m 0")
		s.must("git -c protocol.file.allow=always submodule --quiet add " + s.base + "/mod vendor/mod && cd vendor/mod && git config user.name T && git config user.email t@example.org")
	}
	if s.inputs && !s.chance(5) {
		if w != keptLoose {
			s.must("git add -A")
		}
		s.must("nix --extra-experimental-features 'nix-command flakes' flake lock 2>/dev/null")
	}
	if w != keptLoose {
		s.must("git add -A && git commit -q -m 0")
	}
	switch w {
	case keptTwice:
		dir := filepath.Join(s.base, "other")
		s.must("git worktree add -q -b other " + dir)
		other := s.newCheckout(dir)
		s.other = &other
	case keptShallow:
		s.must("for i in 1 2 3 4; do echo $i >README.md; git commit -q -a -m $i; done; git clone -q --no-local --depth 2 file://" + s.dir + " " + s.base + "/clone")
		s.dir = filepath.Join(s.base, "clone")
		s.must("git config user.name T && git config user.email t@example.org")
	}
	s.open(&s.checkout)
	if s.other != nil {
		s.open(s.other)
	}
	return s
}

func (s *soak) newCheckout(dir string) checkout {
	return checkout{dir: dir, truth: map[string]nixcmd.StorePath{}, read: map[string]map[string]bool{}}
}

func (s *soak) open(c *checkout) {
	f, err := Open(Config{Dir: filepath.Join(c.dir, s.sub), StateDir: filepath.Join(s.base, "state"), Dialer: noDialer{}})
	if err != nil {
		s.t.Fatal(err)
	}
	f.watch = s.watch
	c.fleet = f
}

// attributes are contents of a .gitattributes.
func (s *soak) attributes() string {
	text := ""
	for range s.r.IntN(3) {
		text += pick(s, "*.txt text eol=crlf", "*.txt text", "* text=auto", "* text=auto eol=lf", "data/** binary", "*.txt ident", "data/* filter=up", "*.txt filter=up", "data/dir/* filter=big", "*.md export-subst",
			"hosts/** -text", "*.nix text eol=lf", "*.nix diff=nix", "data/b.txt export-ignore", "data/a.txt filter=missing") + "\n"
	}
	return text
}

// own are the edits that only this world has.
func (s *soak) own() (what string) {
	sh := func(lines ...string) string {
		line := pick(s, lines...)
		s.sh(line)
		return line
	}
	switch s.world {
	case keptFilters:
		switch s.r.IntN(4) {
		case 0:
			s.write(".gitattributes", s.attributes())
			return "attributes; " + sh("git add -A", "git add -A --renormalize . ; git commit -q -m a", "true")
		case 1:
			return sh("git config core.autocrlf "+pick(s, "true", "input", "false"), "git config --unset filter.up.smudge", "git config filter.up.smudge 'tr A-Z a-z'",
				"git config filter.up.required true; git config --unset filter.up.clean", "git config filter.up.clean 'tr a-z A-Z'",
				"mkdir -p .git/info; echo '*.txt eol=crlf' >.git/info/attributes", "rm -f .git/info/attributes")
		case 2:
			return sh("rm -f data/a.txt data/b.txt; git checkout -q -- data", "rm -rf data; git checkout -q -f .", "git rm -q --cached -r . ; git reset -q --hard", "git add -A --renormalize .")
		}
		name := pick(s, "data/a.txt", "data/b.txt", "data/dir/1")
		return sh("printf 'a\\r\\nb\\r\\n' >"+name, "printf 'a\\nB\\n' >"+name, "echo '$Id$' >"+name, "echo 'pointer:x' >"+name, "printf 'A\\nB\\n' >"+name+"; git add -A; git commit -q -m f")
	case keptModules:
		return sh("echo "+strconv.Itoa(s.r.IntN(4))+" >vendor/mod/data.txt", fmt.Sprintf("echo '{ ... }: [ \"%d\" ]' >vendor/mod/value.nix", s.r.IntN(4)),
			"cd vendor/mod && git add -A && git commit -q -m m", "cd vendor/mod && git checkout -q HEAD~1", "cd vendor/mod && git checkout -q main", "git add vendor/mod",
			"cd vendor/mod && git checkout -q .", "git submodule deinit -f -q vendor/mod", "git -c protocol.file.allow=always submodule --quiet update --init",
			"echo 1 >vendor/mod/untracked", "git -c protocol.file.allow=always submodule --quiet update --init; git add -A; git commit -q -m s", "git config diff.ignoreSubmodules "+pick(s, "all", "none"))
	case keptTwice:
		if s.chance(4) {
			return sh("git merge -q -m m "+pick(s, "main", "other")+" || git merge --abort", "git stash -q", "git stash pop -q || git reset -q --hard", "git checkout -q --detach; git checkout -q -B "+pick(s, "main", "other"))
		}
		s.checkout, *s.other = *s.other, s.checkout
		return "the other worktree"
	case keptShallow:
		return sh("git fetch -q --deepen 1", "git fetch -q --deepen 1", "git fetch -q --unshallow", "git fetch -q --depth 1", "git pull -q --depth 1 -X theirs || git merge --abort",
			"cd "+filepath.Join(s.base, "repo")+" && echo $RANDOM >>README.md && git commit -q -a -m up", "git reset -q --hard origin/main")
	case keptBelow:
		return sh("echo "+strconv.Itoa(s.r.IntN(4))+" >../../shared/data.txt", "echo x >>../../README", "git add -A ../..", "echo 1 >../../outside.nix; git add -A ../..")
	case keptLoose:
		return sh("touch README.md", "mkdir -p data/empty", "rmdir data/empty", "touch -d '2020-01-01 00:00' data/a.txt", "mkdir -p mods/empty")
	case keptInputs:
		switch s.r.IntN(3) {
		case 0:
			s.write(pick(s, "@ext/data.txt", "@two/data.txt"), strconv.Itoa(s.r.IntN(4)))
		case 1:
			s.write("@ext/flake.nix", s.ext())
		case 2:
			s.write("inner/data.txt", strconv.Itoa(s.r.IntN(4)))
		}
		return "input; " + sh("true", "nix --extra-experimental-features 'nix-command flakes' flake update 2>/dev/null", "nix --extra-experimental-features 'nix-command flakes' flake lock --update-input ext 2>/dev/null")
	}
	return ""
}
