package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// TestRealSoak edits random flakes at random and holds every prediction against
// an evaluation by the real Nix, its cache left out. FLOTILLA_SOAK_STEPS says how
// many edits, FLOTILLA_SOAK_SEED which.
func TestRealSoak(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix, and time")
	}
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			return otherwise
		}
		return n
	}
	steps, seed := number("FLOTILLA_SOAK_STEPS", 60), number("FLOTILLA_SOAK_SEED", 1)
	total := tally{}
	for done := 0; done < steps && !t.Failed(); seed++ {
		s := newSoak(t, uint64(seed))
		n := min(max(60, steps/4), steps-done)
		s.run(n)
		total.add(s.tally)
		done += n
		t.Logf("seed %d, so far %s", seed, total)
	}
	t.Log("in all", total)
	if total.avoided == 0 {
		t.Error("nothing was avoided")
	}
}

// tally counts what became of hosts, a step each.
type tally struct {
	steps, avoided, evaluated, failed int
	// Of edits to the contents of code that a host does not import, and that made
	// no difference to it; and to those of other files that it does not read.
	codeAvoided, code, dataAvoided, data int
	// The same of code in flakes that have nothing to make hosts depend on it but
	// imports: no use of the flake as a path, no helper that reads any file, no
	// import from derivation.
	plainAvoided, plain int
	// Of commits that were looked at beside the tree, and of the names of the
	// configurations.
	commitsAvoided, commits int
	namesAvoided, names     int
	reasons                 map[string]int
}

func (t *tally) add(o tally) {
	t.steps += o.steps
	t.avoided += o.avoided
	t.evaluated += o.evaluated
	t.failed += o.failed
	t.codeAvoided += o.codeAvoided
	t.code += o.code
	t.plain += o.plain
	t.plainAvoided += o.plainAvoided
	t.dataAvoided += o.dataAvoided
	t.data += o.data
	t.commitsAvoided += o.commitsAvoided
	t.commits += o.commits
	t.namesAvoided += o.namesAvoided
	t.names += o.names
	if t.reasons == nil {
		t.reasons = map[string]int{}
	}
	for why, n := range o.reasons {
		t.reasons[why] += n
	}
}

func (t tally) String() string {
	share := func(n, of int) string {
		if of == 0 {
			return "none"
		}
		return fmt.Sprintf("%d of %d (%.1f %%)", n, of, 100*float64(n)/float64(of))
	}
	return fmt.Sprintf("%d steps: %d predictions held, %d evaluations, %d failed evaluations; avoidable evaluations avoided after edits of code: %s, where code is only imported: %s, of data: %s; those not avoided: %v; hosts of commits known: %s, names known: %s",
		t.steps, t.avoided, t.evaluated, t.failed, share(t.codeAvoided, t.code), share(t.plainAvoided, t.plain), share(t.dataAvoided, t.data), t.reasons,
		share(t.commitsAvoided, t.commits), share(t.namesAvoided, t.names))
}

// soak is one flake and its repository.
type soak struct {
	t     *testing.T
	r     *rand.Rand
	seed  uint64
	dir   string // of the repository; the flake is in it or below
	sub   string
	ext   string // an input outside
	tally tally
	fleet *Fleet
	truth map[string]nixcmd.StorePath
	read  map[string]map[string]bool // imports, by host
	log   []string
	mu    sync.Mutex

	// Which of the constructs that make hosts depend on everything the flake has.
	self, ifd, slurp, inputs bool
}

func newSoak(t *testing.T, seed uint64) *soak {
	dir := t.TempDir()
	s := &soak{t: t, r: rand.New(rand.NewPCG(seed, 7)), seed: seed, dir: filepath.Join(dir, "repo"), ext: filepath.Join(dir, "ext"),
		truth: map[string]nixcmd.StorePath{}, read: map[string]map[string]bool{}}
	s.tally.reasons = map[string]int{}
	if s.chance(5) {
		s.sub = "sub/flake"
	}
	if s.chance(2) {
		s.self, s.ifd, s.slurp, s.inputs = s.chance(2), s.chance(3), s.chance(2), s.chance(2)
	}
	s.write("../ext/flake.nix", "{ outputs = { self }: { value = \"ext\"; files = ./.; }; }")
	s.write("../ext/data.txt", "1")
	for _, name := range s.files() {
		s.write(name, s.content(name))
	}
	if s.chance(2) {
		s.must("ln -s common link && mkdir -p data && ln -s a.txt data/link.txt")
	}
	s.must("git init -q -b main '" + s.dir + "' && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
	f, err := Open(Config{Dir: filepath.Join(s.dir, s.sub), StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	s.fleet = f
	return s
}

// noDialer connects to nothing.
type noDialer struct{}

func (noDialer) Connect(context.Context, Host) (Remote, error) {
	return nil, errors.New("no host here")
}

func (s *soak) chance(n int) bool { return s.r.IntN(n) == 0 }

func pick[T any](s *soak, list ...T) T { return list[s.r.IntN(len(list))] }

func (s *soak) path(name string) string { return filepath.Join(s.dir, s.sub, name) }

func (s *soak) write(name, text string) {
	file := s.path(name)
	if strings.HasPrefix(name, "../ext/") {
		file = filepath.Join(s.ext, name[len("../ext/"):])
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

// sh runs a shell command in the flake's directory.
func (s *soak) sh(line string) error {
	_, err := proc.Run(s.t.Context(), proc.Cmd{Argv: []string{"/bin/sh", "-c", line}, Dir: s.path(""),
		Env: proc.Environ(fmt.Sprintf("GIT_COMMITTER_DATE=%d +0000", 1760000000+s.r.IntN(5)*43200))})
	return err
}

func (s *soak) must(line string) {
	if err := s.sh(line); err != nil {
		s.t.Fatal(err)
	}
}

func soakHosts() []Host {
	return []Host{{Name: "h0", Attr: "h0"}, {Name: "h1", Attr: "h1"}, {Name: "h2", Attr: "h2"}}
}

func (s *soak) code() []string {
	list := []string{"common/default.nix", "common/opt.nix", "common/extra.nix", "mods/a.nix", "mods/b.nix"}
	for _, h := range soakHosts() {
		list = append(list, "hosts/"+h.Name+"/default.nix", "hosts/"+h.Name+"/x.nix", "hosts/"+h.Name+"/y.nix")
	}
	return list
}

func (s *soak) data() []string {
	return []string{"README.md", "data/a.txt", "data/b.txt", "data/flag", "data/hosts.json", "data/hosts.toml", "data/dir/1", "data/dir/skip", "hosts/h0/d.txt", "hosts/h1/d.txt"}
}

func (s *soak) files() []string {
	return slices.Concat([]string{"flake.nix", "lib.nix", "inner/flake.nix", "inner/data.txt"}, s.code(), s.data())
}

func (s *soak) content(name string) string {
	n := s.r.IntN(1000)
	switch name {
	case "flake.nix":
		return s.flake()
	case "lib.nix":
		slurp := "p: \"no\""
		if s.slurp {
			slurp = "p: builtins.readFile p"
		}
		return fmt.Sprintf("rec {\n  # %d\n  text = builtins.concatStringsSep \"\\n\";\n  key = file: host: (builtins.fromJSON (builtins.readFile ./data/hosts.json)).${host} or \"none\";\n  slurp = %s;\n}\n",
			n, slurp)
	case "inner/flake.nix":
		return fmt.Sprintf("{ outputs = { self }: { value = \"inner %d\"; text = builtins.readFile ./data.txt; }; }", n)
	case "data/flag":
		return pick(s, "1", "0")
	case "data/hosts.json":
		return fmt.Sprintf(`{ "h0": "%d", "h1": "%d", "h2": "%d" }`, s.r.IntN(2), s.r.IntN(2), s.r.IntN(2))
	case "data/hosts.toml":
		return fmt.Sprintf("h0 = \"%d\"\nh1 = \"%d\"\n", s.r.IntN(2), s.r.IntN(2))
	}
	if !strings.HasSuffix(name, ".nix") {
		return strconv.Itoa(s.r.IntN(4))
	}
	lines := []string{fmt.Sprintf("{ self, lib, host, inputs }@args: [\n  # %d", n)}
	if name == "common/default.nix" || strings.HasPrefix(name, "hosts/") && path.Base(name) == "default.nix" {
		lines = append(lines, "  "+s.expr(name), "  "+s.expr(name), "  "+s.expr(name))
	}
	for range s.r.IntN(3) {
		lines = append(lines, "  "+s.expr(name))
	}
	return strings.Join(append(lines, "]"), "\n") + "\n"
}

func (s *soak) flake() string {
	inputs, args := "", "{ self }"
	if s.inputs {
		inputs = fmt.Sprintf("  inputs.ext.url = \"path:%s\";\n  inputs.inner.url = \"path:./inner\";\n", s.ext)
		if s.sub != "" || s.chance(2) {
			inputs = fmt.Sprintf("  inputs.ext.url = \"path:%s\";\n  inputs.again.url = \"path:%[1]s\";\n", s.ext)
		}
		args = "inputs@{ self, ... }"
	}
	bind := "inputs = { inherit self; };"
	if s.inputs {
		bind = ""
	}
	host := pick(s, "dir: import dir", "dir: import (./hosts + \"/${builtins.baseNameOf dir}\")")
	list := "{ h0 = mk \"h0\" ./hosts/h0; h1 = mk \"h1\" ./hosts/h1; h2 = mk \"h2\" ./hosts/h2; }"
	if s.chance(2) {
		list = "builtins.mapAttrs (name: _: mk name (./hosts + \"/${name}\")) (builtins.readDir ./hosts)"
	}
	return fmt.Sprintf(`{
  # %d
%s  outputs = %s: let
    %s
    lib = import ./lib.nix;
    load = %s;
    mk = host: dir: { config.system.build.toplevel = derivation {
      name = "nixos-system-${host}"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo >$out" ];
      text = lib.text ((import ./common { inherit self lib host inputs; }) ++ (load dir { inherit self lib host inputs; }));
    }; };
  in { nixosConfigurations = %s; };
}
`, s.r.IntN(1000), inputs, args, bind, host, list)
}

// rel is a path as a file in the tree would write it.
func rel(from, to string) string {
	r, err := filepath.Rel(filepath.Dir(from), to)
	if err != nil {
		return "./" + to
	}
	if !strings.HasPrefix(r, ".") {
		r = "./" + r
	}
	return r
}

// expr is an expression that is a string, in a file of the tree.
func (s *soak) expr(in string) string {
	text := func(file string) string { return rel(in, file) }
	// Only files that come later, so that nothing imports itself.
	order := []string{"hosts", "common/default.nix", "common/opt.nix", "mods/a.nix", "mods/b.nix", "common/extra.nix"}
	later := func() string {
		if strings.HasPrefix(in, "hosts/") && path.Base(in) == "default.nix" && s.chance(2) {
			return path.Dir(in) + pick(s, "/x.nix", "/y.nix")
		}
		at := slices.Index(order, in)
		if strings.HasPrefix(in, "hosts/") {
			at = 0
		}
		if at+1 >= len(order) {
			return "data/none.nix"
		}
		return order[at+1+s.r.IntN(len(order)-at-1)]
	}
	load := func(file string) string { return fmt.Sprintf("(lib.text (import %s args))", text(file)) }
	file := pick(s, "data/a.txt", "data/b.txt", "data/link.txt", "hosts/h0/d.txt", "hosts/h1/d.txt")
	switch n := s.r.IntN(24); {
	case n < 6:
		next := later()
		if next == "data/none.nix" {
			return `"leaf"`
		}
		return load(next)
	case n < 9:
		return fmt.Sprintf("%q", fmt.Sprint("v", s.r.IntN(4)))
	case n == 9:
		return fmt.Sprintf("(builtins.readFile %s)", text(file))
	case n == 10:
		return fmt.Sprintf("\"${%s}\"", text(pick(s, file, "data/dir", "data", "hosts/h1")))
	case n == 11:
		return fmt.Sprintf("\"${builtins.path { path = %s; name = \"f\"; filter = p: t: builtins.baseNameOf p != \"skip\"; }}\"", text("data/dir"))
	case n == 12:
		return pick(s, "(lib.key 0 host)", fmt.Sprintf("((builtins.fromTOML (builtins.readFile %s)).${host} or \"none\")", text("data/hosts.toml")))
	case n == 13:
		return fmt.Sprintf("(lib.text (builtins.attrNames (builtins.readDir %s)))", text(pick(s, "data", "hosts", "mods")))
	case n == 14 && in == "common/default.nix":
		return "(lib.text (map (n: lib.text (import (./../mods + \"/${n}\") args)) (builtins.attrNames (builtins.readDir ../mods))))"
	case n == 15:
		return fmt.Sprintf("(if builtins.pathExists %s then \"yes\" else \"no\")", text(pick(s, "data/a.txt", "data/new.txt", "common/opt.nix")))
	case n == 16:
		a, b := later(), later()
		if a == "data/none.nix" {
			return `"leaf"`
		}
		return fmt.Sprintf("(if builtins.substring 0 1 (builtins.readFile %s) == \"1\" then %s else %s)", text("data/flag"), load(a), load(b))
	case n == 17 && s.self:
		return pick(s, "(self.rev or self.dirtyRev or \"none\")", "(toString self.lastModified)", "(builtins.substring 0 8 self.lastModifiedDate)", "self.narHash",
			"(if self ? rev then \"clean\" else \"dirty\")", fmt.Sprintf("(toString %s)", text("data")), "\"${self}\"", "(builtins.readFile (self + \"/README.md\"))",
			"(builtins.readFile \"${self}/README.md\")", "(let d = ./.; in \"${toString d}/x\")", "(toString (self.revCount or 0))")
	case n == 18 && s.ifd:
		return fmt.Sprintf("(builtins.readFile (derivation { name = \"ifd\"; system = \"x86_64-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"read x <$src; echo $x >$out\" ]; src = %s; }))", text(file))
	case n == 19 && s.ifd:
		return fmt.Sprintf("(import (derivation { name = \"ifd.nix\"; system = \"x86_64-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"read x <$src; echo \\\"\\\\\\\"$x\\\\\\\"\\\" >$out\" ]; src = %s; }))", text(file))
	case n == 20 && s.slurp:
		return fmt.Sprintf("(lib.slurp %s)", text(file))
	case n == 21 && s.inputs:
		return pick(s, "(inputs.ext.value or \"none\")", "(inputs.inner.text or \"none\")", "(inputs.inner.value or \"none\")", "(if inputs ? ext then builtins.readFile (inputs.ext + \"/data.txt\") else \"none\")")
	case n == 22:
		return fmt.Sprintf("(builtins.readFile (%s + \"/%s\"))", text("data"), pick(s, "a.txt", "b.txt"))
	case n == 23:
		return fmt.Sprintf("(let p = %s; in \"${p}\")", text(file))
	}
	return `"plain"`
}

// edit changes the repository at random and says how; content is the file whose
// contents alone changed, or "".
func (s *soak) edit() (what, content string) {
	name := pick(s, append(s.code(), s.data()...)...)
	switch n := s.r.IntN(40); {
	default:
		name = pick(s, s.code()...)
		fallthrough
	case n < 8:
		if _, err := os.Lstat(s.path(name)); err != nil {
			return "nothing", ""
		}
		old, err := os.ReadFile(s.path(name))
		if err != nil {
			s.t.Fatal(err)
		}
		text := s.content(name)
		if s.chance(3) && strings.HasSuffix(name, ".nix") {
			text = string(old) + fmt.Sprintf("# %d\n", s.r.IntN(1000))
		}
		s.write(name, text)
		return "content " + name, name
	case n == 8:
		fresh := pick(s, "data/new.txt", "mods/c.nix", "hosts/h0/z.nix")
		s.write(fresh, s.content(fresh))
		s.must("git add -A")
		return "add " + fresh, ""
	case n == 9:
		fresh := pick(s, "data/untracked.txt", "mods/untracked.nix")
		s.write(fresh, s.content(fresh))
		return "untracked " + fresh, ""
	case n == 10:
		os.Remove(s.path(name))
		return "delete " + name, ""
	case n == 11:
		s.sh("git mv " + name + " " + name + ".old")
		return "rename " + name, ""
	case n == 12:
		s.sh("chmod " + pick(s, "+x ", "-x ") + name)
		return "mode " + name, ""
	case n == 13:
		s.sh("ln -sfn " + pick(s, "common", "mods") + " link; ln -sfn " + pick(s, "a.txt", "b.txt") + " data/link.txt; git add -A")
		return "symlinks", ""
	case n == 14:
		for _, f := range []string{"flake.nix", "lib.nix"} {
			if s.chance(2) {
				s.write(f, s.content(f))
			}
		}
		return "flake.nix or lib.nix", ""
	case n == 15 && s.inputs:
		s.write("../ext/data.txt", strconv.Itoa(s.r.IntN(4)))
		if s.chance(2) {
			s.sh("nix --extra-experimental-features 'nix-command flakes' flake update 2>/dev/null")
		}
		return "input", ""
	case n == 16:
		s.write("inner/data.txt", strconv.Itoa(s.r.IntN(4)))
		return "inner", ""
	case n < 21:
		s.sh("git add -A; git commit -q -m x")
		return "commit", ""
	case n == 21:
		s.sh("git commit -q --amend -m y" + strconv.Itoa(s.r.IntN(100)))
		return "amend", ""
	case n == 22:
		s.sh("git checkout -q -B other")
		return "branch", ""
	case n == 23:
		s.sh("git checkout -q " + pick(s, "main", "other") + " 2>/dev/null")
		return "switch", ""
	case n == 24:
		s.sh("git stash -q")
		return "stash", ""
	case n == 25:
		s.sh("git stash pop -q 2>/dev/null || git reset -q --hard")
		return "pop", ""
	case n == 26:
		s.sh("git checkout -q --detach HEAD~" + strconv.Itoa(s.r.IntN(3)) + " 2>/dev/null")
		return "older", ""
	case n == 27:
		s.sh("git reset -q --hard")
		return "reset", ""
	case n == 28:
		s.sh("git rm -q --cached " + name)
		return "forget " + name, ""
	case n == 29:
		s.sh("git checkout -q main 2>/dev/null; git revert --no-edit HEAD >/dev/null 2>&1 || git reset -q --hard")
		return "revert", ""
	case n == 30:
		s.sh("git update-index --assume-unchanged " + name + " 2>/dev/null; echo 3 >>" + name + "; git update-index --no-assume-unchanged " + name)
		return "flags " + name, ""
	}
}

func (s *soak) run(steps int) {
	what, content := "first", ""
	for range steps {
		s.log = append(s.log, what)
		s.tally.steps++
		s.step(content)
		if s.t.Failed() {
			return
		}
		if len(s.truth) == 0 { // broken altogether: back to where it began
			s.sh("git stash clear; git checkout -q -f main && git reset -q --hard $(git rev-list --max-parents=0 HEAD)")
			what, content = "first again", ""
			continue
		}
		what, content = s.edit()
	}
}

// step asks and evaluates every host.
func (s *soak) step(content string) {
	lazily := s.chance(10) // with Nix's own cache
	seen := s.fleet.recollect(s.t.Context())
	var then *recollection
	if s.chance(6) {
		then = s.beside(seen)
	}
	if s.chance(4) {
		s.names(seen)
	}
	s.fleet.runWith(s.t.Context(), seen, AtOnce, soakHosts(), func(ctx context.Context, j *job) (Outcome, error) {
		if then != nil {
			defer func() { s.commit(ctx, j, then) }()
		}
		known := j.recall()
		inst, err := installable("", j.host)
		if err != nil {
			return "", err
		}
		var ev nixcmd.Evaluation
		if err := j.fleet.stages.evaluations.Acquire(ctx, 1); err != nil {
			return "", err
		}
		ev, err = s.fleet.nix.Evaluate(ctx, inst, nixcmd.EvaluateOptions{Fresh: known.result != nil || !lazily})
		j.fleet.stages.evaluations.Release(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		same := err == nil && s.truth[j.host.Name] == ev.Derivation
		if same && content != "" && s.onlyOthersRead(j.host.Name, path.Join(s.sub, content)) {
			hit := 0
			if known.result != nil {
				hit = 1
			} else {
				s.tally.reasons[kind(known.why)]++
				if os.Getenv("FLOTILLA_SOAK_WHY") != "" {
					s.t.Logf("seed %d, step %d: %s: %s", s.seed, len(s.log), j.host.Name, known.why)
				}
			}
			if strings.HasSuffix(content, ".nix") {
				s.tally.code++
				s.tally.codeAvoided += hit
				if !s.self && !s.ifd && !s.slurp && !s.inputs {
					s.tally.plain++
					s.tally.plainAvoided += hit
				}
			} else {
				s.tally.data++
				s.tally.dataAvoided += hit
			}
		}
		if known.result != nil {
			s.tally.avoided++
			if err != nil || known.result.Derivation != string(ev.Derivation) {
				s.t.Errorf("seed %d: wrong prediction for %s (%v)\nsteps: %s\nsince %s: imports %v, copied %v, unread %v, earned %v, burnt %v", s.seed, j.host.Name, err, strings.Join(s.log, ", "),
					known.result.At.Format(time.TimeOnly), slices.Sorted(maps.Keys(known.result.Imports)), known.result.Copied, known.result.Unread, known.result.Earned, known.result.Burnt)
				s.sh("cp -r " + s.dir + " /tmp/soak-failed")
			}
		} else if err == nil {
			s.tally.evaluated++
			j.learned = j.seen.learn(j.host, ev)
		}
		if err != nil {
			s.tally.failed++
			delete(s.truth, j.host.Name)
			return "", err
		}
		s.truth[j.host.Name] = ev.Derivation
		if !ev.Cached {
			s.read[j.host.Name] = map[string]bool{}
			for _, f := range ev.Imports {
				s.read[j.host.Name][f] = true
			}
		}
		return Evaluated, nil
	})
}

// beside is what is known of some commit.
func (s *soak) beside(seen *recollection) *recollection {
	res, err := proc.Run(s.t.Context(), proc.Cmd{Argv: []string{"git", "rev-list", "--all", "--max-count=30"}, Dir: s.path("")})
	if err != nil {
		s.t.Fatal(err)
	}
	id := pick(s, strings.Fields(string(res.Stdout))...)
	commit, err := nixcmd.New(nixcmd.Config{Dir: s.path("")}).Commit(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = append(s.log, "beside "+id[:7])
	return seen.beside(commit.FlakeRef(), id)
}

// commit holds what is known of a host in a commit against an evaluation of that.
func (s *soak) commit(ctx context.Context, j *job, then *recollection) {
	if j.learned != nil {
		<-j.learned
	}
	known := then.ask(j.host)
	inst, err := installable(then.flake, j.host)
	if err != nil {
		s.t.Error(err)
		return
	}
	if j.fleet.stages.evaluations.Acquire(ctx, 1) != nil {
		return
	}
	ev, err := s.fleet.nix.Evaluate(ctx, inst, nixcmd.EvaluateOptions{Fresh: true})
	j.fleet.stages.evaluations.Release(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || known.result != nil {
		s.tally.commits++
	}
	switch {
	case known.result != nil:
		s.tally.commitsAvoided++
		if err != nil || known.result.Derivation != string(ev.Derivation) {
			s.t.Errorf("seed %d: wrong prediction for %s in commit %s (%v): %s, not %s\nsteps: %s", s.seed, j.host.Name, then.commit, err,
				known.result.Derivation, ev.Derivation, strings.Join(s.log, ", "))
			s.sh("cp -r " + s.dir + " /tmp/soak-failed")
		}
	case err == nil:
		then.learn(j.host, ev)
	}
}

// names holds the names that are known against those of an evaluation.
func (s *soak) names(seen *recollection) {
	known := seen.ask(Host{Name: namesHost}).result != nil
	names, err := seen.names(s.t.Context())
	if !known && err != nil {
		return
	}
	s.tally.names++
	if !known {
		return
	}
	s.tally.namesAvoided++
	inst, instErr := nixcmd.FlakeAttr(".", "nixosConfigurations")
	real, realErr := s.fleet.nix.AttrNames(s.t.Context(), inst)
	if errors.Join(err, instErr, realErr) != nil || !slices.Equal(names, real) {
		s.t.Errorf("seed %d: wrong names: %v (%v), not %v (%v)\nsteps: %s", s.seed, names, err, real, realErr, strings.Join(s.log, ", "))
	}
}

// onlyOthersRead reports whether a host does not import a file; and if it is code,
// whether another does.
func (s *soak) onlyOthersRead(host, file string) bool {
	some := !strings.HasSuffix(file, ".nix")
	for other, read := range s.read {
		some = some || other != host && read[file]
	}
	return some && !s.read[host][file]
}

// kind is a reason without names.
func kind(why string) string {
	for _, k := range []string{"hash is not known", "revision is not known", "holds the flake's source", "built while", "date", "not known yet", "filters", "evaluated before", "cannot be detected", "was added", "was removed"} {
		if strings.Contains(why, k) {
			return k
		}
	}
	return "may be read"
}

// In a flake of a hundred hosts a change to one costs one evaluation.
func TestRealHundredHosts(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix, and time")
	}
	dir := t.TempDir()
	s := &soak{t: t, dir: filepath.Join(dir, "repo"), r: rand.New(rand.NewPCG(1, 1))}
	s.write("flake.nix", `{ outputs = { self }: { nixosConfigurations = builtins.mapAttrs (name: _: { config.system.build.toplevel = derivation {
  name = "nixos-system-${name}"; system = "x86_64-linux"; builder = "/bin/sh"; text = toString (import (./hosts + "/${name}")); }; }) (builtins.readDir ./hosts); }; }`)
	var hosts []Host
	for i := range 100 {
		h := fmt.Sprintf("h%02d", i)
		hosts = append(hosts, Host{Name: h, Attr: h})
		s.write("hosts/"+h+"/default.nix", "import ./value.nix")
		s.write("hosts/"+h+"/value.nix", "0")
	}
	s.must("git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
	f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	evaluated := func() (n int) {
		t.Helper()
		began := time.Now()
		r := f.run(t.Context(), hosts, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		for _, res := range r.Results {
			if !res.Evaluation.Avoided {
				n++
			}
		}
		t.Logf("%d evaluations in %s", n, time.Since(began).Round(time.Millisecond))
		return n
	}
	if n := evaluated(); n != 100 {
		t.Errorf("first: %d evaluations", n)
	}
	s.write("hosts/h07/value.nix", "1")
	evaluated() // earns what follows
	s.write("hosts/h42/value.nix", "1")
	if n := evaluated(); n != 2 { // and h07, which has to earn it still
		t.Errorf("another host touched: %d evaluations", n)
	}
	s.write("hosts/h42/value.nix", "2")
	if n := evaluated(); n != 1 {
		t.Errorf("one host touched: %d evaluations", n)
	}
	if n := evaluated(); n != 0 {
		t.Errorf("nothing touched: %d evaluations", n)
	}
}

// The place of a source tree is the one that Nix says.
func TestRealPlace(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix")
	}
	s := &soak{t: t, dir: t.TempDir(), r: rand.New(rand.NewPCG(1, 1))}
	for name, text := range map[string]string{"flake.nix": "{ outputs = { self }: { place = \"${self}\"; }; }", "a.b": "1", "a/b": "", "a-c": "12345678", "a/z/y": strings.Repeat("x", 100000), "run": "#!/bin/sh"} {
		s.write(name, text)
	}
	s.must("chmod +x run && ln -s a/b link && git init -q && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
	for _, change := range []string{"true", "echo dirty >>a.b", "rm a-c", "echo unseen >new"} {
		s.must(change)
		tree, err := worktree.Read(t.Context(), worktree.Options{Dir: s.dir})
		if err != nil {
			t.Fatal(err)
		}
		got, err := tree.StorePath(t.Context())
		res, nixErr := proc.Run(t.Context(), proc.Cmd{Argv: []string{"nix", "--extra-experimental-features", "nix-command flakes", "eval", "--raw", ".#place"}, Dir: s.dir})
		if want := string(res.Stdout); err != nil || nixErr != nil || got != want {
			t.Errorf("after %s: %s (%v), Nix says %s (%v)", change, got, err, want, nixErr)
		}
	}
	commit, err := nixcmd.New(nixcmd.Config{Dir: s.dir}).Commit(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := worktree.ReadCommit(t.Context(), s.dir, commit.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tree.StorePath(t.Context())
	res, nixErr := proc.Run(t.Context(), proc.Cmd{Argv: []string{"nix", "--extra-experimental-features", "nix-command flakes", "eval", "--raw", commit.FlakeRef() + "#place"}, Dir: s.dir})
	if want := string(res.Stdout); err != nil || nixErr != nil || got != want {
		t.Errorf("the commit: %s (%v), Nix says %s (%v)", got, err, want, nixErr)
	}
}
