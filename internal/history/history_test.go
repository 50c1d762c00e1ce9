package history

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

func open(t *testing.T, dir string) *DB {
	t.Helper()
	d, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func begun(t *testing.T, d *DB, change func(*Run)) Run {
	t.Helper()
	r := Run{Target: "deployAll", Command: "deployAll -yes", Started: time.UnixMilli(1_700_000_000_123), User: "ole", Machine: "control", Revision: "abc", Dirty: true}
	if change != nil {
		change(&r)
	}
	if err := d.Begin(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func report(outcomes ...fleet.Outcome) *fleet.Report {
	r := &fleet.Report{Duration: 3 * time.Second}
	for i, o := range outcomes {
		res := fleet.Result{Host: fleet.Host{Name: fmt.Sprintf("h%d", i)}, Outcome: o, Duration: time.Second}
		if !o.OK() {
			res.Err = &fleet.StepError{Host: res.Host.Name, Step: fleet.StepBuild, Brief: "no", Err: errors.New("no"), Details: []string{"line"}, Hint: "do"}
		}
		r.Results = append(r.Results, res)
	}
	return r
}

func ended(t *testing.T, d *DB, r Run, rep *fleet.Report) Run {
	t.Helper()
	if err := d.End(t.Context(), &r, rep); err != nil {
		t.Fatal(err)
	}
	return r
}

func ids(runs []Run) (out []int64) {
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}

func TestRunComesBackAsItWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	d := open(t, dir)
	rep := report(fleet.Switched, fleet.Failed)
	rep.Results[0].Live, rep.Results[0].Wanted, rep.Results[0].BuiltOn = "/nix/store/a", "/nix/store/b", "p620"
	rep.Results[0].Build = fleet.BuildWork{Derivations: 1, Paths: 2, Bytes: 3}
	rep.Results[0].Evaluation = fleet.Verdict{Avoided: true, Reason: "nothing it reads changed"}
	rep.Results[0].RebootFor = []string{"kernel"}
	rep.Results[0].Difference = &fleet.Difference{
		Packages: fleet.PackageDiff{
			Added:   []fleet.PackageChange{{Name: "new", NewVersions: []string{"2"}, NewSize: 5}},
			Removed: []fleet.PackageChange{{Name: "gone", OldVersions: []string{"1"}, OldSize: 4}},
			Changed: []fleet.PackageChange{{Name: "etc", OldVersions: []string{""}, NewVersions: []string{""}}, {Name: "tool", OldVersions: []string{"1"}, NewVersions: []string{"2"}}},
			OldSize: 10, NewSize: 11,
		},
		Units: fleet.UnitChanges{Restart: []string{"a.service"}, Keep: []string{"b.service"}},
	}
	rep.Results[0].Health = []fleet.HealthResult{{Check: "web", OK: true, Answer: "200", Tries: 2, Duration: time.Second}}
	rep.Results[0].Steps = []fleet.StepTime{
		{Step: fleet.StepEvaluate, Began: time.Millisecond, Duration: time.Second, Usage: fleet.Usage{UserTime: time.Second, MaxRSS: 7}},
		{Step: fleet.StepActivate, Began: 2 * time.Second, Duration: time.Second},
	}
	want := ended(t, d, begun(t, d, nil), rep)
	// Another process reads it.
	got, err := open(t, dir).Run(t.Context(), 0)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	if got.Hosts[1].Error != "no" || got.Hosts[1].Step != fleet.StepBuild || got.Hosts[1].Detail.Hint != "do" || got.ExitCode != fleet.ExitSomeFailed {
		t.Errorf("%+v", got)
	}
	changes := got.Hosts[0].Detail.Changes
	if diff, was := changes.Diff(), rep.Results[0].Difference; !reflect.DeepEqual(diff, was.Packages) || !reflect.DeepEqual(changes.Units(), was.Units) || got.Hosts[1].Detail.Changes != nil {
		t.Errorf("%+v\n%+v", diff, changes)
	}
	for _, name := range []string{fileName, fileName + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := d.Run(t.Context(), 17); !errors.Is(err, ErrNoRun) {
		t.Error(err)
	}
}

// A run that was killed is there, without an end.
func TestKilledRunIsSeen(t *testing.T) {
	d := open(t, t.TempDir())
	begun(t, d, nil)
	runs, err := d.Runs(t.Context(), Filter{})
	if err != nil || len(runs) != 1 || runs[0].Over || runs[0].Target != "deployAll" {
		t.Errorf("%+v, %v", runs, err)
	}
}

func TestFilter(t *testing.T) {
	d := open(t, t.TempDir())
	at := func(s int64) func(*Run) { return func(r *Run) { r.Started = time.Unix(s, 0) } }
	ended(t, d, begun(t, d, at(100)), report(fleet.Switched, fleet.Unchanged)) // 1
	ended(t, d, begun(t, d, at(200)), report(fleet.Failed, fleet.Unchanged))   // 2
	// The clock went backwards: it is the latest all the same.
	ended(t, d, begun(t, d, at(50)), report(fleet.Unchanged)) // 3
	ended(t, d, begun(t, d, func(r *Run) { r.Target = "rollback" }), report(fleet.Switched))
	for _, c := range []struct {
		name string
		f    Filter
		want []int64
	}{
		{"all", Filter{}, []int64{4, 3, 2, 1}},
		{"last", Filter{Last: 2}, []int64{4, 3}},
		{"host", Filter{Hosts: []string{"h1", "nobody"}}, []int64{2, 1}},
		{"outcome", Filter{Outcomes: []fleet.Outcome{fleet.Switched, fleet.Failed}}, []int64{4, 2, 1}},
		{"of one host", Filter{Hosts: []string{"h1"}, Outcomes: []fleet.Outcome{fleet.Failed}}, nil},
		{"target", Filter{Targets: []string{"rollback"}}, []int64{4}},
		{"since", Filter{Since: time.Unix(100, 0), Before: time.Unix(1000, 0)}, []int64{2, 1}},
		{"before", Filter{Before: time.Unix(200, 0)}, []int64{3, 1}},
		{"quoted", Filter{Hosts: []string{"' OR 1=1 --"}}, nil},
	} {
		runs, err := d.Runs(t.Context(), c.f)
		if err != nil || !slices.Equal(ids(runs), c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, ids(runs), err, c.want)
		}
	}
	runs, err := d.Runs(t.Context(), Filter{Hosts: []string{"h1"}})
	if err != nil || len(runs[0].Hosts) != 1 || runs[0].Hosts[0].Name != "h1" {
		t.Errorf("other hosts are shown too: %+v, %v", runs, err)
	}
}

// What cannot be used is set aside whole, and said; runs are kept from then on.
func TestUnusableDatabaseIsSetAside(t *testing.T) {
	t.Run("no database", func(t *testing.T) {
		dir := t.TempDir()
		text := bytes.Repeat([]byte("not a database\n"), 1000)
		if err := os.WriteFile(filepath.Join(dir, fileName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		wantAside(t, dir, open(t, dir), func(kept []byte) bool { return bytes.Equal(kept, text) })
	})
	t.Run("newer", func(t *testing.T) {
		dir := t.TempDir()
		d, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.db.Exec("PRAGMA user_version = 1000"); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		wantAside(t, dir, open(t, dir), func(kept []byte) bool { return bytes.HasPrefix(kept, []byte("SQLite format 3")) })
	})
	t.Run("damaged under way", func(t *testing.T) {
		dir := t.TempDir()
		d := open(t, dir)
		for range 50 {
			ended(t, d, begun(t, d, nil), report(fleet.Switched, fleet.Failed))
		}
		if _, err := d.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fileName)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// All pages but the first, which has the schema.
		copy(text[4096:], bytes.Repeat([]byte{0xa5}, len(text)-4096))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		d = open(t, dir)
		r := ended(t, d, begun(t, d, nil), report(fleet.Switched))
		wantAside(t, dir, d, func(kept []byte) bool { return len(kept) >= len(text) })
		if got, err := d.Run(t.Context(), r.ID); err != nil || !got.Over {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func wantAside(t *testing.T, dir string, d *DB, is func([]byte) bool) {
	t.Helper()
	ended(t, d, begun(t, d, nil), report(fleet.Switched))
	_, file, found := strings.Cut(d.Aside(), "it is set aside as ")
	kept, err := os.ReadFile(file)
	if !found || err != nil || !is(kept) {
		t.Errorf("%q: %d bytes, %v", d.Aside(), len(kept), err)
	}
	if again := open(t, dir); again.Aside() != "" {
		t.Errorf("set aside again: %s", again.Aside())
	}
}

// Several processes find the same damage: one sets it aside, and none of what they
// then write is lost.
func TestSeveralFindItDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), bytes.Repeat([]byte("x"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	const several = 8
	each(t, several, func(ctx context.Context) error { return oneRun(ctx, dir) })
	runs, err := open(t, dir).Runs(t.Context(), Filter{})
	if err != nil || len(runs) != several {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	if aside, err := filepath.Glob(filepath.Join(dir, fileName+".2*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
}

func TestSeveralWriters(t *testing.T) {
	dir := t.TempDir()
	each(t, 4, func(ctx context.Context) error {
		for range 25 {
			if err := oneRun(ctx, dir); err != nil {
				return err
			}
		}
		return nil
	})
	runs, err := open(t, dir).Runs(t.Context(), Filter{})
	if err != nil || len(runs) != 100 || slices.ContainsFunc(runs, func(r Run) bool { return !r.Over || len(r.Hosts) != 2 }) {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}

func oneRun(ctx context.Context, dir string) error {
	d, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	r := Run{Target: "x"}
	return errors.Join(d.Begin(ctx, &r), d.End(ctx, &r, report(fleet.Switched, fleet.Failed)), d.Close())
}

func each(t *testing.T, n int, do func(context.Context) error) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := do(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOldRunsAreLetGo(t *testing.T) {
	d := open(t, t.TempDir())
	first := ended(t, d, begun(t, d, nil), report(fleet.Failed))
	jump := func(n int64) {
		t.Helper()
		if _, err := d.db.Exec("UPDATE sqlite_sequence SET seq = ?", n); err != nil {
			t.Fatal(err)
		}
	}
	jump(first.ID + keptDetails)
	ended(t, d, begun(t, d, nil), report(fleet.Failed))
	got, err := d.Run(t.Context(), first.ID)
	if err != nil || len(got.Hosts) != 1 || !reflect.DeepEqual(got.Hosts[0].Detail, Detail{}) {
		t.Errorf("details of an old run: %+v, %v", got, err)
	}
	jump(first.ID + Kept)
	last := ended(t, d, begun(t, d, nil), report(fleet.Failed))
	if _, err := d.Run(t.Context(), first.ID); !errors.Is(err, ErrNoRun) {
		t.Errorf("old run: %v", err)
	}
	if got, err := d.Run(t.Context(), last.ID); err != nil || len(got.Hosts[0].Detail.Lines) == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	var left int
	if err := d.db.QueryRow("SELECT (SELECT count(*) FROM hosts WHERE run = ?1) + (SELECT count(*) FROM steps WHERE run = ?1)", first.ID).Scan(&left); err != nil || left > 0 {
		t.Errorf("%d rows of it are left, %v", left, err)
	}
}

func TestLongDetailsLoseTheirLines(t *testing.T) {
	text, err := Detail{Lines: []string{strings.Repeat("x", mostDetail)}, Hint: "do"}.text()
	if err != nil || len(text) > 100 || !strings.Contains(text, `"do"`) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// Of a whole upgrade what people know by name is kept: versions, and the largest.
func TestManyPackages(t *testing.T) {
	d := &fleet.Difference{}
	for i := range 3000 {
		p := fleet.PackageChange{Name: fmt.Sprintf("package-%04d-%s", i, strings.Repeat("x", 40)), OldVersions: []string{"1.2.3-pre"}, NewVersions: []string{"1.2.3-pre"}, NewSize: int64(i)}
		if i < 10 {
			p.NewVersions = []string{"1.2.4"}
		}
		d.Packages.Changed = append(d.Packages.Changed, p)
		d.Units.Restart = append(d.Units.Restart, fmt.Sprintf("unit-%d.service", i))
	}
	c := changesOf(d)
	if len(c.Packages) != mostPackages || c.More != 2800 || len(c.Restart) != mostUnits || c.Packages[0].New[0] != "1.2.4" || c.Packages[mostPackages-1].NewSize != 2999 {
		t.Errorf("%d and %d more: %+v", len(c.Packages), c.More, c.Packages[0])
	}
	text, err := Detail{Changes: c, Lines: []string{"kept"}}.text()
	if err != nil || len(text) > mostDetail || !strings.Contains(text, "kept") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// A directory that cannot be written is an error, not a panic and not another place.
func TestUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), filepath.Join(file, "state")); err == nil {
		t.Error("no error")
	}
}

// BenchmarkRuns asks a history of 100,000 runs of four hosts the things that
// `history` asks.
func BenchmarkRuns(b *testing.B) {
	d, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	fill(b, d.db, Kept)
	for name, f := range map[string]Filter{
		"latest":         {Last: 20},
		"one host":       {Hosts: []string{"h2"}, Last: 20},
		"failures":       {Outcomes: []fleet.Outcome{fleet.Failed}, Last: 20},
		"rare":           {Outcomes: []fleet.Outcome{fleet.RolledBack}, Last: 20},
		"nothing":        {Hosts: []string{"nobody"}, Last: 20},
		"since":          {Since: time.Unix(Kept-20, 0)},
		"target unknown": {Targets: []string{"nothing"}, Last: 20},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := d.Runs(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("one run", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.Run(b.Context(), Kept/2); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("totals", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.Totals(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func fill(b *testing.B, db *sql.DB, n int) {
	b.Helper()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	for i := range n {
		r := Run{ID: int64(i + 1), Target: "deployAll", Started: time.Unix(int64(i), 0)}
		outcomes := []fleet.Outcome{fleet.Switched, fleet.Unchanged, fleet.Unchanged, fleet.Unchanged}
		if i%100 == 0 {
			outcomes[2] = fleet.Failed
		}
		if i == 5 {
			outcomes[3] = fleet.RolledBack
		}
		for _, res := range report(outcomes...).Results {
			h := hostOf(res)
			h.Steps = []fleet.StepTime{{Step: fleet.StepSurvey}, {Step: fleet.StepEvaluate}}
			r.Hosts = append(r.Hosts, h)
		}
		if err := write(b.Context(), tx, &r); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// Sums outlast the runs that they are of.
func TestTotals(t *testing.T) {
	d := open(t, t.TempDir())
	changes := func(at int64) func(*Run) {
		return func(r *Run) { r.Changes, r.Started = true, time.Unix(at, 0) }
	}
	rep := report(fleet.Switched)
	rep.Results[0].Build = fleet.BuildWork{Derivations: 1, Paths: 2, Bytes: 3}
	rep.Results[0].Cache = fleet.CacheUse{LackedPaths: 5, LackedBytes: 60, FetchedPaths: 4, FetchedBytes: 50}
	rep.Results[0].Steps = []fleet.StepTime{{Step: fleet.StepEvaluate, Duration: time.Second}, {Step: fleet.StepEvaluate, Duration: time.Hour}}
	first := ended(t, d, begun(t, d, changes(100)), rep)
	rep = report(fleet.Failed)
	rep.Results[0].Evaluation.Avoided = true
	rep.Results[0].Steps = []fleet.StepTime{{Step: fleet.StepEvaluate, Duration: time.Millisecond}}
	ended(t, d, begun(t, d, changes(200)), rep)
	ended(t, d, begun(t, d, nil), report(fleet.Built)) // a test
	check := func() {
		t.Helper()
		all, err := d.Totals(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		h := all[0].Steps[fleet.StepEvaluate]
		if h.Count != 3 || h.Sum != time.Hour+time.Second+time.Millisecond || h.Buckets[0] != 1 || h.Buckets[3] != 2 || h.Buckets[len(h.Buckets)-1] != 2 {
			t.Errorf("%+v", h)
		}
		if o := all[0]; o.Outcomes[fleet.Switched] != 1 || o.Outcomes[fleet.Failed] != 1 || o.Tested[fleet.Built] != 1 || o.Evaluated != 1 || o.Avoided != 1 || o.Bytes != 3 || o.Paths != 2 || o.Derivations != 1 ||
			o.CacheHits != 4 || o.CacheHitBytes != 50 || o.CacheMisses != 1 || o.CacheMissBytes != 10 {
			t.Errorf("%+v", o)
		}
	}
	check()
	all, err := d.Totals(t.Context())
	if err != nil || !all[0].Last.Equal(time.Unix(203, 0)) || all[0].LastOutcome != fleet.Failed || !all[0].Good.Equal(time.Unix(103, 0)) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := d.db.Exec("DELETE FROM runs WHERE id = ?", first.ID); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestDrift(t *testing.T) {
	d := open(t, t.TempDir())
	ask := func(at int64, drifted map[string]bool) map[string]time.Time {
		t.Helper()
		since, err := d.Drift(t.Context(), time.Unix(at, 0), drifted)
		if err != nil {
			t.Fatal(err)
		}
		return since
	}
	ask(100, map[string]bool{"a": true, "b": false})
	if since := ask(200, map[string]bool{"a": true, "b": true}); !since["a"].Equal(time.Unix(100, 0)) || !since["b"].Equal(time.Unix(200, 0)) {
		t.Error(since)
	}
	ask(300, map[string]bool{"a": false})
	if since := ask(400, map[string]bool{"a": true, "b": true}); !since["a"].Equal(time.Unix(400, 0)) || !since["b"].Equal(time.Unix(200, 0)) {
		t.Error(since)
	}
}

// A run that brings a host to what is wanted ends what was known: what differs after
// it has not done so since before.
func TestDeploymentEndsDrift(t *testing.T) {
	d := open(t, t.TempDir())
	drifted := map[string]bool{"a": true, "b": true, "c": true}
	if _, err := d.Drift(t.Context(), time.Unix(100, 0), drifted); err != nil {
		t.Fatal(err)
	}
	for _, changes := range []bool{true, false} {
		r := &Run{Target: "quickDeploy", Changes: changes, Started: time.Unix(200, 0)}
		if err := d.Begin(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		result := func(name string, o fleet.Outcome) fleet.Result {
			return fleet.Result{Host: fleet.Host{Name: name}, Outcome: o}
		}
		results := []fleet.Result{result("a", fleet.Switched), result("b", fleet.RolledBack)}
		if !changes {
			results = []fleet.Result{result("c", fleet.Unchanged)}
		}
		if err := d.End(t.Context(), r, &fleet.Report{Results: results}); err != nil {
			t.Fatal(err)
		}
	}
	since, err := d.Drift(t.Context(), time.Unix(300, 0), drifted)
	if err != nil || !since["a"].Equal(time.Unix(300, 0)) || !since["b"].Equal(time.Unix(100, 0)) || !since["c"].Equal(time.Unix(100, 0)) {
		t.Error(since, err)
	}
}
