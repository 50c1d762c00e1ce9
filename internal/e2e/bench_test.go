package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

type benchmark struct {
	Kind    string
	Earlier int
	Record  struct {
		Toplevel    string
		Rebuilt     []string
		NotMeasured map[string]string `json:"not_measured"`
		Environment struct {
			Nix, Store, Revision string
			Dirty                bool
			Cores                int
			Load                 float64
		}
	}
	Phases []phase
}

type phase struct {
	Phase  string
	N      int
	Median float64 `json:"median_seconds"`
	Low    float64 `json:"low_seconds"`
	MaxRSS int64   `json:"max_rss_bytes"`
	Last   *struct {
		Verdict string
		Change  float64
	}
}

func (b benchmark) phases() (all []string) {
	for _, p := range b.Phases {
		all = append(all, p.Phase)
	}
	return all
}

func (m *machine) bench(line string) (b benchmark) {
	m.t.Helper()
	o := m.run(line).exits(0)
	if err := json.Unmarshal([]byte(o.stdout), &b); err != nil || o.stderr != "" {
		m.t.Fatalf("%v\nstdout:\n%s\nstderr:\n%s", err, o.stdout, o.stderr)
	}
	return b
}

// benchHost measures every phase, keeps what it measured, and changes neither the
// host nor what is in the stores.
func TestBenchHost(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.run("flotilla quickDeploy p620").exits(0)
	m.must(lab.Control, "rm -rf /root/.local/state/flotilla/bench")
	m.run("flotilla benchHost p620 1").exits(0).says("p620: 1 round after", "first run", "need >= 6 samples")
	const stores = "nix-store --verify --check-contents && nix-store --query --hash $(find /nix/store -mindepth 1 -maxdepth 1 ! -name '.*' ! -name '*.lock' ! -name '*.chroot' | sort) 2>/dev/null | sha256sum; ls /nix/store | grep -v lock | wc -l"
	here, there, before := m.must(lab.Control, stores), m.must("p620", stores), m.systems("p620")

	b := m.bench("flotilla benchHost p620 6 -json -out=/tmp/samples")
	want := []string{"control", "survey", "evaluate-cold", "evaluate-warm", "evaluate-known", "rebuild", "copy-nothing", "run-nothing"}
	if b.Kind != "benchmark" || b.Earlier != 1 || !slices.Equal(b.phases(), want) {
		t.Fatalf("%+v", b)
	}
	for _, p := range b.Phases {
		evaluates := slices.Contains([]string{"evaluate-cold", "evaluate-warm", "rebuild"}, p.Phase)
		if p.N != 6 || p.Median <= 0 || p.Low <= 0 || p.Last == nil || evaluates != (p.MaxRSS > 1<<20) {
			t.Errorf("%+v", p)
		}
	}
	e := b.Record.Environment
	if e.Nix != "2.26.3" || e.Store != "local" || len(e.Revision) != 40 || e.Dirty || e.Cores < 1 || len(b.Record.Rebuilt) < 5 {
		t.Errorf("%+v", b.Record)
	}
	if !slices.ContainsFunc(b.Record.Rebuilt, func(d string) bool { return strings.HasPrefix(d, "nixos-system-p620-") }) {
		t.Errorf("the toplevel is not built again: %v", b.Record.Rebuilt)
	}
	samples := m.must(lab.Control, "cat /tmp/samples; rm /tmp/samples")
	if n := strings.Count(samples, "\nBenchmarkHost/host=p620/phase="); n != 6*len(want) || !strings.Contains(samples, "\nnix: 2.26.3\n") {
		t.Errorf("%d samples:\n%s", n, samples)
	}
	if got := m.must(lab.Control, "stat -c %a /root/.local/state/flotilla/bench/*/p620.jsonl; cat /root/.local/state/flotilla/bench/*/p620.jsonl | wc -l"); got != "600\n2" {
		t.Errorf("history: %q", got)
	}
	if m.must(lab.Control, stores) != here || m.must("p620", stores) != there || m.systems("p620") != before {
		t.Error("something was changed")
	}

	// A result that cannot be kept is shown all the same.
	m.must(lab.Control, "mount -t tmpfs -o size=64k full /root/.local/state/flotilla/bench; head -c 1M /dev/zero >/root/.local/state/flotilla/bench/full; true")
	o := m.run("flotilla benchHost p620 1")
	m.must(lab.Control, "umount /root/.local/state/flotilla/bench")
	o.exits(1).says("evaluate-cold", "cannot keep the result", "no space left")

	// A host that would be deployed stays as it is; what would change it is left out.
	m.set("p620", `environment.etc.motd.text = "not deployed";`)
	b = m.bench("flotilla benchHost p620 1 -json")
	if !slices.Contains(b.phases(), "run-nothing") || slices.Contains(b.phases(), "copy-nothing") ||
		!strings.Contains(b.Record.NotMeasured["copy-nothing"], "it would change the host") || !b.Record.Environment.Dirty {
		t.Errorf("%+v", b)
	}
	if m.systems("p620") != before || m.must("p620", stores) != there {
		t.Error("the host was changed")
	}

	// What is activated on request is what the host runs, not what the flake wants,
	// and it makes no generation.
	const generations = "ls -d /nix/var/nix/profiles/system-*-link"
	links := m.must("p620", generations)
	b = m.bench("flotilla benchHost p620 1 -json -activate")
	if !slices.Contains(b.phases(), "activate") || m.systems("p620") != before || m.must("p620", generations) != links {
		t.Errorf("%+v: %+v, before %+v", b.phases(), m.systems("p620"), before)
	}
	// It would change what a host boots that has another system staged.
	m.run("flotilla deploy p620 -boot").exits(0)
	before = m.systems("p620")
	m.run("flotilla benchHost p620 1 -activate").exits(1).says("to activate would change what it boots", "nothing was recorded")
	if m.systems("p620") != before {
		t.Error("the host was changed")
	}
}

// perfCompare with a real Nix: of one host only the later revision's system differs.
func TestPerfCompare(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	head := m.must(lab.Control, "git rev-parse HEAD")
	t.Cleanup(func() { m.must(lab.Control, "git reset --quiet --hard "+head) })
	m.set("razer", `environment.etc.motd.text = "compared";`)
	roots := m.must(lab.Control, "ls -l /root/.local/state/flotilla/roots/* 2>/dev/null || true")
	m.run("flotilla perfCompare HEAD . -runs=1 -on=razer,p510").exits(0).says("to the work tree", "p510: both want the same system", "need >= ")
	if now := m.must(lab.Control, "ls -l /root/.local/state/flotilla/roots/* 2>/dev/null || true"); now != roots {
		t.Errorf("what the user had built is kept otherwise:\n%s\nbefore:\n%s", now, roots)
	}
}

// perfMemory and perfParallel with a real Nix.
func TestPerfMemoryAndParallel(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	var mem struct {
		Allows int `json:"allows_evaluations"`
		Hosts  []struct {
			Host      string
			Evaluator int64 `json:"evaluator_bytes"`
			Builder   int64 `json:"builder_bytes"`
			Rebuilt   int
		}
	}
	o := m.run("flotilla perfMemory -json").exits(0)
	if err := json.Unmarshal([]byte(o.stdout), &mem); err != nil || len(mem.Hosts) != 4 || mem.Allows < 1 {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
	for i, h := range mem.Hosts {
		if h.Host != lab.Hosts()[i] || h.Evaluator < 10<<20 || h.Builder < 1<<20 || h.Rebuilt < 5 {
			t.Errorf("%+v", h)
		}
	}
	m.run("flotilla perfBuildTimes -runs=1 -on=razer").exits(0).says("BUILT AGAIN", "etc")
	m.run("flotilla perfEval -runs=1 -on=razer").exits(0).says("evaluate-known")
	o = m.run("flotilla perfParallel -runs=1").exits(0).says("4 hosts on", "speed-up", "need >= 6 samples")
	o.row("in-turn", strings.Fields(o.stdout[strings.Index(o.stdout, "in-turn"):])[1])
}

// perfCache: one that is in a directory, the fleet's own over HTTP with half of
// what is wanted, one whose key nobody knows, and ones that are down.
func TestPerfCache(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	binary := filepath.Join(t.TempDir(), "cacheserver")
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"go", "build", "-o", binary, "./testdata/cacheserver"}, Env: proc.Environ("CGO_ENABLED=0")}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	m.place("/tmp/cacheserver", text)
	m.run("flotilla testAllParallel").exits(0)
	m.must(lab.Control, `cd /tmp && nix key generate-secret --key-name lab-1 >lab.secret && nix key convert-secret-to-public <lab.secret >lab.public
		all=$(cd /root/fleet 2>/dev/null || cd "$OLDPWD"; flotilla buildAllParallel 2>/dev/null | cut -d' ' -f2)
		one=$(echo "$all" | head -n 1)
		nix copy --to "file:///tmp/all?secret-key=/tmp/lab.secret" $all && nix copy --to "file:///tmp/one?secret-key=/tmp/lab.secret" $one
		nix copy --to "file:///tmp/unsigned" $one
		systemd-run --quiet --unit=cacheserver /tmp/cacheserver /tmp/one 127.0.0.1:5000`)
	t.Cleanup(func() {
		m.must(lab.Control, "systemctl stop cacheserver; rm -rf /tmp/all /tmp/one /tmp/unsigned /tmp/lab.* /tmp/cacheserver")
	})
	m.must(lab.Control, `printf '\n[cache]\nurl = "http://127.0.0.1:5000"\npublic-key = "%s"\n' "$(cat /tmp/lab.public)" >>fleet.toml; flotilla testAllParallel`) // the tree, as it is now, is in the store

	// 192.0.2.1 is nobody's (RFC 5737).
	const config = `NIX_CONFIG='substituters = file:///tmp/all file:///tmp/unsigned http://192.0.2.1 http://127.0.0.1:1' `
	var r struct {
		Paths  int
		Caches []struct {
			URL, Error           string
			Own                  bool
			Asked, Found, Usable int
			Latency              []float64 `json:"latency_seconds"`
			Downloaded           int64     `json:"downloaded_bytes"`
		}
	}
	before := m.must(lab.Control, "ls /nix/store | wc -l")
	o := m.run(config + "flotilla perfCache -json").exits(0)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || len(r.Caches) != 5 {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
	all, unsigned, nobody, refused, own := r.Caches[0], r.Caches[1], r.Caches[2], r.Caches[3], r.Caches[4]
	if all.Found != r.Paths || all.Usable != r.Paths || all.Downloaded < 1000 || all.Error != "" || len(all.Latency) == 0 {
		t.Errorf("the whole: %+v of %d", all, r.Paths)
	}
	if unsigned.Found == 0 || unsigned.Found >= r.Paths || unsigned.Usable > unsigned.Found/10 { // sources need no signature
		t.Errorf("unsigned: %+v", unsigned)
	}
	if nobody.Error == "" || refused.Error == "" || nobody.Asked+refused.Asked != 0 {
		t.Errorf("down: %+v, %+v", nobody, refused)
	}
	if !own.Own || own.Found != unsigned.Found || own.Usable != own.Found || own.Downloaded < 1000 {
		t.Errorf("the fleet's own: %+v", own)
	}
	if after := m.must(lab.Control, "ls /nix/store | wc -l"); after != before {
		t.Errorf("%s paths in the store, before %s", after, before)
	}
	m.run(config+"flotilla perfCache -on="+lab.Hosts()[0]).exits(0).says("the closures of 1 host: ", "http://192.0.2.1", "down, as was clear after", "100 %")
}

// Ctrl-C in the middle of an activation that is measured: it comes to its end, and
// leaves nothing behind; nothing is recorded. Again, and it is not waited for: the host
// brings itself to the same end.
func TestInterruptBenchActivate(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", "lab.activationSeconds = 2;")
	m.windows("60s", "2s")
	m.run("flotilla quickDeploy p510").exits(0)
	before := m.systems("p510")
	const records = "cat /root/.local/state/flotilla/bench/*/p510.jsonl 2>/dev/null | wc -l"
	recorded := m.must(lab.Control, records)
	for _, c := range []struct{ name, interrupt string }{
		{"once", "kill -INT $pid"},
		{"twice", "kill -INT $pid; while grep -q ^flotilla /proc/$pid/comm 2>/dev/null; do sleep 0.1; kill -INT $pid 2>/dev/null || break; done"},
	} {
		done := make(chan outcome, 1)
		go func() { done <- m.run("exec flotilla benchHost p510 3 -activate") }()
		m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
		m.must(lab.Control, "pid=$(pidof flotilla); "+c.interrupt)
		o := <-done
		o.exits(130).says("interrupted: nothing was recorded")
		m.asBefore("p510", before)
		if now := m.must(lab.Control, records); now != recorded {
			t.Errorf("%s: %s records, before %s", c.name, now, recorded)
		}
	}
	// The next deployment finds a host like any other.
	m.run("flotilla quickDeploy p510").exits(0).says("unchanged")
}
