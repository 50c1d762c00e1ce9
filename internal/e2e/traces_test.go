package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// span is what testdata/otlpreceiver prints.
type span struct {
	Name, Kind, Status, Message string
	Trace, ID, Parent           string
	Start, End                  uint64
	Attributes, Resource        map[string]string
}

func buildReceiver(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "otlpreceiver")
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"go", "build", "-o", file, "./testdata/otlpreceiver"}, Env: proc.Environ("CGO_ENABLED=0")}); err != nil {
		t.Fatal(err)
	}
	return file
}

// trace is the spans of a run.
type trace struct {
	t     *testing.T
	spans []span
}

func readTrace(t *testing.T, lines string) trace {
	t.Helper()
	tr := trace{t: t}
	for line := range strings.Lines(lines) {
		var s span
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		tr.spans = append(tr.spans, s)
	}
	return tr
}

// path is a span's names from the root to it, with slashes.
func (tr trace) path(s span) string {
	i := slices.IndexFunc(tr.spans, func(p span) bool { return p.ID == s.Parent })
	if i < 0 {
		return s.Name
	}
	if p := tr.spans[i]; s.Start < p.Start || s.Trace != p.Trace {
		tr.t.Errorf("%+v is not within %+v", s, p)
	}
	return tr.path(tr.spans[i]) + "/" + s.Name
}

// at is a span of that path.
func (tr trace) at(path string) span {
	tr.t.Helper()
	var all []string
	for _, s := range tr.spans {
		p := tr.path(s)
		if p == path {
			return s
		}
		all = append(all, p)
	}
	slices.Sort(all)
	tr.t.Fatalf("no span %s in\n%s", path, strings.Join(all, "\n"))
	return span{}
}

// tells checks what holds of any trace: nothing of it is secret, it is one tree, and what
// is done for a host is done in one of its steps.
func (tr trace) tells(secrets ...string) {
	tr.t.Helper()
	roots := 0
	for _, s := range tr.spans {
		if !strings.Contains(tr.path(s), "/") {
			roots++
		}
		if s.Kind == "SPAN_KIND_CLIENT" && strings.HasPrefix(path.Base(path.Dir(tr.path(s))), "host ") {
			tr.t.Errorf("a command in no step: %s", tr.path(s))
		}
		text, err := json.Marshal(s)
		if err != nil {
			tr.t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				tr.t.Errorf("%s is told: %s", secret, text)
			}
		}
		if s.Resource["service.name"] != "flotilla" || s.End < s.Start {
			tr.t.Errorf("%s", text)
		}
	}
	if roots != 1 {
		tr.t.Errorf("%d roots", roots)
	}
}

const fakeNix = `#!/bin/sh
case "$*" in
  --version) echo "nix (Nix) 2.26.3" ;;
  path-info*--derivation*razer*) echo "error: assertion 'broken' failed" >&2; exit 1 ;;
  path-info*--derivation*) echo /nix/store/dddddddddddddddddddddddddddddddd-nixos-system-p620.drv ;;
  build*) echo /nix/store/00000000000000000000000000000000-nixos-system-p620 ;;
  *) echo "fake nix: $*" >&2; exit 9 ;;
esac
`

// A run of one host that is well and one that is not, to a receiver that takes it, and
// to none.
func TestTracesOfARun(t *testing.T) {
	f := newTestedFleet(t)
	f.write("bin/nix", fakeNix)
	f.write("fleet.toml", "[hosts.p620]\n[hosts.razer]\n")
	run := func(settings ...string) proc.Result {
		t.Helper()
		res, err := f.sh(append(append([]string{"env"}, settings...), flotilla, "testAllParallel", "-fresh")...)
		if res.Code != 3 {
			t.Fatalf("%v\n%s%s", err, res.Stdout, res.Stderr)
		}
		return res
	}

	address, stop := make(chan string, 1), make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	receiver := buildReceiver(t)
	go func() {
		res, _ := proc.Run(ctx, proc.Cmd{Argv: []string{receiver, "127.0.0.1:0"}, Stderr: func(line string) {
			select {
			case address <- line:
			default:
			}
		}})
		stop <- string(res.Stdout)
	}()
	to := "http://" + <-address
	res := run("OTEL_EXPORTER_OTLP_ENDPOINT="+to, "OTEL_EXPORTER_OTLP_HEADERS=authorization=hidden", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if strings.Contains(string(res.Stderr), "trace") {
		t.Errorf("%s", res.Stderr)
	}
	cancel()
	tr := readTrace(t, <-stop)
	tr.tells("hidden")
	root := tr.at("testAllParallel")
	if root.Trace != "0af7651916cd43dd8448eb211c80319c" || root.Parent != "b7ad6b7169203331" || root.Attributes["process.exit.code"] != `{"IntValue":3}` || root.Attributes["flotilla.run"] != `{"IntValue":1}` {
		t.Errorf("%+v", root)
	}
	if s := tr.at("testAllParallel/host p620/build/nix build"); s.Status != "STATUS_CODE_UNSET" || s.Attributes["process.exit.code"] != `{"IntValue":0}` || s.Kind != "SPAN_KIND_CLIENT" {
		t.Errorf("%+v", s)
	}
	if s := tr.at("testAllParallel/host razer/evaluate/nix path-info"); s.Status != "STATUS_CODE_ERROR" || s.Attributes["error.type"] != "1" {
		t.Errorf("%+v", s)
	}
	if s := tr.at("testAllParallel/host razer"); s.Status != "STATUS_CODE_ERROR" || s.Attributes["flotilla.outcome"] != "failed" || !strings.Contains(s.Message, "assertion 'broken' failed") {
		t.Errorf("%+v", s)
	}

	// Nobody is there by now: that is said once, and changes nothing else.
	res = run("OTEL_EXPORTER_OTLP_ENDPOINT="+to, "OTEL_EXPORTER_OTLP_HEADERS=authorization=hidden")
	if n := strings.Count(string(res.Stderr), "traces of this run are not exported: "+to+"/v1/traces: "); n != 1 || strings.Contains(string(res.Stderr), "hidden") {
		t.Errorf("said %d times: %s", n, res.Stderr)
	}
	res = run("OTEL_EXPORTER_OTLP_ENDPOINT="+to, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	if n := strings.Count(string(res.Stderr), `traces of this run are not exported: OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"`); n != 1 {
		t.Errorf("said %d times: %s", n, res.Stderr)
	}
}

// A deployment on a real host: down to the commands of its activation.
func TestTracesOfADeployment(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.deployed()
	program, err := os.ReadFile(buildReceiver(t))
	if err != nil {
		t.Fatal(err)
	}
	m.place("/tmp/otlpreceiver", program)
	m.must(lab.Control, "systemd-run --quiet --unit=otlpreceiver -p StandardOutput=file:/tmp/spans -p StandardError=file:/tmp/receiver /tmp/otlpreceiver 127.0.0.1:0; while ! test -s /tmp/receiver; do :; done")
	t.Cleanup(func() {
		m.must(lab.Control, "systemctl stop otlpreceiver; rm -f /tmp/otlpreceiver /tmp/spans /tmp/receiver")
	})
	m.set("p620", `environment.etc.motd.text = "traced";`)
	m.run("OTEL_EXPORTER_OTLP_ENDPOINT=http://$(cat /tmp/receiver) flotilla quickDeploy p620,razer").exits(0)
	tr := readTrace(t, m.must(lab.Control, "cat /tmp/spans"))
	tr.tells()
	const host = "quickDeploy/host p620/"
	for _, path := range []string{"survey", "evaluate/nix path-info", "build/nix build", "copy/nix copy", "activate/ssh", "commit/ssh"} {
		tr.at(host + path)
	}
	// Its page has what was changed.
	page := m.must(lab.Control, "flotilla report last -out=/tmp/page.html >/dev/null && cat /tmp/page.html && rm /tmp/page.html")
	for _, want := range []string{"<summary>Only rebuilt: ", "Packages: 0 added, 0 removed, 0 changed, ", "etc, "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if s := tr.at("quickDeploy/host razer"); s.Attributes["flotilla.outcome"] != "unchanged" || s.Status != "STATUS_CODE_UNSET" {
		t.Errorf("%+v", s)
	}
}
