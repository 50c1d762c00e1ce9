package fleet

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
)

// realFlake is a flake that somebody has: FLOTILLA_TEST_FLAKE, and its hosts, FLOTILLA_TEST_HOSTS or all.
type realFlake struct {
	t     *testing.T
	dir   string
	hosts []string
}

func openRealFlake(t *testing.T) realFlake {
	t.Helper()
	dir := os.Getenv("FLOTILLA_TEST_FLAKE")
	if dir == "" {
		t.Skip("FLOTILLA_TEST_FLAKE names no flake")
	}
	f := realFlake{t, dir, strings.Fields(os.Getenv("FLOTILLA_TEST_HOSTS"))}
	if len(f.hosts) == 0 {
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: f.nix("eval", "--raw", dir+"#nixosConfigurations", "--apply", `s: toString (builtins.attrNames s)`)})
		if err != nil {
			t.Fatal(err)
		}
		f.hosts = strings.Fields(string(res.Stdout))
	}
	return f
}

func (f realFlake) nix(args ...string) []string {
	return append([]string{"nix", "--extra-experimental-features", "nix-command flakes pipe-operators"}, args...)
}

// fleet is one that knows nothing yet.
func (f realFlake) fleet(t *testing.T, verify bool) *Fleet {
	t.Helper()
	fl, err := Open(Config{Dir: f.dir, StateDir: t.TempDir(), Dialer: noDialer{}, Fresh: true, Verify: verify})
	if err != nil {
		t.Fatal(err)
	}
	return fl
}

func evaluateAlone(ctx context.Context, f *Fleet, host string) *Report {
	return f.run(ctx, []Host{{Name: host, Attr: host}}, func(ctx context.Context, j *job) (Outcome, error) {
		_, err := j.evaluate(ctx, false)
		return Evaluated, err
	})
}

// What strace sees Nix open of a flake's files while it evaluates a host is held to be read, whether the
// evaluation was watched or not.
func TestRealOpens(t *testing.T) {
	flake := openRealFlake(t)
	strace := os.Getenv("FLOTILLA_TEST_STRACE")
	if strace == "" {
		strace = "strace"
	}
	tree, err := worktree.Read(t.Context(), worktree.Options{Dir: flake.dir, Cache: filepath.Join(t.TempDir(), "stat")})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range flake.hosts {
		t.Run(host, func(t *testing.T) {
			fl := flake.fleet(t, false)
			fl.watch = watchAll
			if err := evaluateAlone(t.Context(), fl, host).Err(); err != nil {
				t.Skipf("it does not evaluate: %v", err)
			}
			kept := readset.Open(fl.evaluations()).Load(host)
			if len(kept) != 1 {
				t.Fatal("nothing is kept of it")
			}
			base := kept[0]
			if base.Hidden != "" {
				t.Skip("whole trees are compared: " + base.Hidden)
			}
			trace := filepath.Join(t.TempDir(), "trace")
			argv := append([]string{strace, "-f", "-qq", "--seccomp-bpf", "-e", "trace=open,openat,openat2", "-o", trace},
				flake.nix("eval", "-v", "--no-eval-cache", "--raw", flake.dir+"#.nixosConfigurations."+strconv.Quote(host)+".config.system.build.toplevel.drvPath")...)
			res, err := proc.Run(t.Context(), proc.Cmd{Argv: argv})
			if err != nil {
				t.Fatal(err)
			}
			roots := []string{tree.Root + "/"}
			if m := regexp.MustCompile(`evaluating file '(/nix/store/[^/]*-source/)`).FindSubmatch(res.Stderr); m != nil {
				roots = append(roots, string(m[1]))
			}
			data, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			opened, begun := map[string]bool{}, false
			lines := bufio.NewScanner(bytes.NewReader(data))
			lines.Buffer(nil, 1<<20)
			call := regexp.MustCompile(`open(?:at2?)?\((?:AT_FDCWD, )?"([^"]*)", ([^)]*)\) = \d`)
			for lines.Scan() {
				m := call.FindStringSubmatch(lines.Text())
				for _, root := range roots {
					if m != nil && strings.HasPrefix(m[1], root) && !strings.Contains(m[2], "O_DIRECTORY") {
						name := strings.TrimPrefix(m[1], root)
						begun = begun || name == tree.FlakePath(flakeName) // before that Nix compares with the index
						opened[name] = begun
					}
				}
			}
			all := readset.Ways{Contents: true, Revision: true, State: true}
			base.Whole, base.Revision = false, false
			base.Earned = map[readset.Step]readset.Ways{readset.Dirty: all, readset.Clean: all, readset.Mixed: all, readset.Plain: all}
			judge := func(how string) {
				besides, spared, data, code := 0, 0, 0, 0
				for i, e := range tree.Entries {
					_, imported := base.Imports[e.Path]
					if e.Mode != worktree.ModeFile && e.Mode != worktree.ModeExecutable || imported || path.Base(e.Path) == "flake.lock" || path.Base(e.Path) == "flake.nix" {
						continue
					}
					other := *tree
					other.Entries = slices.Clone(tree.Entries)
					other.Entries[i].ID = strings.Repeat("0", len(e.ID))
					base.Unread = nil
					why := readset.Predict(readset.Question{Base: base, From: tree, To: &other, Imported: func(string) bool { return true }})
					base.Unread = []string{e.Path} // as it may be held to be later
					later := readset.Predict(readset.Question{Base: base, From: tree, To: &other, Imported: func(string) bool { return true }})
					switch {
					case opened[e.Path]:
						besides++
						if why == "" || later == "" {
							t.Errorf("%s: %s is opened and not held to be read", how, e.Path)
						}
					case strings.HasSuffix(e.Path, ".nix"):
						code++
					default:
						data++
					}
					if why == "" && !opened[e.Path] {
						spared++
					}
				}
				t.Logf("%s: %d imported, %d read besides; %d of code and %d of data are not, of which %d are held not to be", how, len(base.Imports), besides, code, data, spared)
			}
			if base.Observed {
				judge("watched")
			} else {
				t.Log("it was not watched, or opened what is strange")
			}
			base.Observed, base.Opened = false, nil
			judge("by its text")
		})
	}
}

// Random edits of a flake that somebody has, FLOTILLA_TEST_EDITS, each of one file: every prediction is held to
// a real evaluation. FLOTILLA_TEST_UNWATCHED has them made without watching.
func TestRealEdits(t *testing.T) {
	flake := openRealFlake(t)
	fl := flake.fleet(t, true)
	if os.Getenv("FLOTILLA_TEST_UNWATCHED") != "" {
		fl.watch = watchNone
	}
	n, _ := strconv.Atoi(os.Getenv("FLOTILLA_TEST_EDITS"))
	seed, _ := strconv.ParseUint(os.Getenv("FLOTILLA_TEST_SEED"), 10, 64)
	r := rand.New(rand.NewPCG(seed, 1))
	tree, err := worktree.Read(t.Context(), worktree.Options{Dir: flake.dir, Cache: filepath.Join(t.TempDir(), "stat")})
	if err != nil {
		t.Fatal(err)
	}
	files := slices.DeleteFunc(slices.Clone(tree.Entries), func(e worktree.Entry) bool {
		return e.Mode != worktree.ModeFile || path.Base(e.Path) == "flake.lock" || path.Base(e.Path) == "flake.nix"
	})
	wanted := map[string]string{}
	var spared, avoidable [2]int
	for i := range n + 2 {
		edited := "README-of-the-test.md" // twice: what has to be shown first
		if i >= 2 {
			edited = files[r.IntN(len(files))].Path
		}
		f, err := os.OpenFile(filepath.Join(flake.dir, edited), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		text := " "
		if strings.HasSuffix(edited, ".nix") {
			text = "# x"
		}
		fmt.Fprintln(f, text)
		f.Close()
		if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"git", "add", "-N", edited}, Dir: flake.dir}); err != nil {
			t.Fatal(err)
		}
		for _, host := range flake.hosts {
			rep := evaluateAlone(t.Context(), fl, host)
			res := rep.Results[0]
			same := wanted[host] == string(res.Wanted)
			foretold := strings.HasPrefix(res.Evaluation.Reason, "to verify")
			kind := 0
			if strings.HasSuffix(edited, ".nix") {
				kind = 1
			}
			if i >= 2 && same {
				avoidable[kind]++
				if foretold {
					spared[kind]++
				}
			}
			if err := rep.Err(); err != nil {
				t.Errorf("%s, %s: %v", edited, host, err)
			}
			t.Logf("%s, %s: the same %v, %s", edited, host, same, res.Evaluation.Reason)
			wanted[host] = string(res.Wanted)
		}
	}
	t.Logf("%d edits of %d hosts: avoided of what made no difference: code %d of %d, data %d of %d", n, len(flake.hosts), spared[1], avoidable[1], spared[0], avoidable[0])
}
