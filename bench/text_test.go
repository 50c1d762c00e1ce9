package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/nixflotilla/flotilla/internal/proc"
)

func written(t *testing.T, survey float64) []byte {
	t.Helper()
	r := Record{Host: "razer-2", Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		Environment: Environment{OS: "linux", Arch: "amd64", CPU: "Some CPU @ 2 GHz", Cores: 2, Nix: "2.26.3", Store: "local"},
		Series: []Series{
			{Phase: Survey, Seconds: around(survey)},
			{Phase: EvaluateCold, Seconds: around(0.3), CPU: around(0.2), MaxRSS: []int64{9, 9, 9, 9, 9, 9, 9, 9, 9, 9}},
		}}
	var b bytes.Buffer
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The format's own reader finds every sample again.
func TestTextIsRead(t *testing.T) {
	in := benchfmt.NewReader(bytes.NewReader(written(t, 0.01)), "text")
	n := 0
	for in.Scan() {
		r, ok := in.Result().(*benchfmt.Result)
		if !ok {
			t.Fatalf("%v", in.Result())
		}
		n++
		if r.GetConfig("nix") != "2.26.3" || r.GetConfig("cpu") != "Some CPU @ 2 GHz" || r.GetConfig("flake-revision") != "" {
			t.Errorf("%+v", r.Config)
		}
		if _, ok := r.Value("sec/op"); !ok {
			t.Errorf("%s: %+v", r.Name, r.Values)
		}
		if peak, ok := r.Value("peak-B/op"); ok != strings.HasSuffix(string(r.Name), "evaluate-cold") || ok && peak != 9 {
			t.Errorf("%s: %+v", r.Name, r.Values)
		}
	}
	if err := in.Err(); err != nil || n != 20 {
		t.Errorf("%d results, %v", n, err)
	}
}

// benchstat reads it, and comes to the same verdict.
func TestBenchstat(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles benchstat: not with -short")
	}
	dir := t.TempDir()
	before, after := filepath.Join(dir, "before"), filepath.Join(dir, "after")
	if err := os.WriteFile(before, written(t, 0.010), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(after, written(t, 0.012), 0o600); err != nil {
		t.Fatal(err)
	}
	// Of the module that this package needs anyway, so that no network is needed.
	res, err := proc.Run(t.Context(), proc.Cmd{
		Argv: []string{"go", "run", "golang.org/x/perf/cmd/benchstat", before, after}, Env: proc.Environ("GOPROXY=off")})
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	table := string(res.Stdout)
	for _, want := range []string{"phase=survey", "10.00m ± ", "12.00m ± ", "+20.00% (p=0.000 n=10)", "~ (p=1.000 n=10)", "peak-B/op", "nix: 2.26.3"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, table)
		}
	}
}
