package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
	"github.com/nixflotilla/flotilla/nixcmd"
)

var update = flag.Bool("update", false, "write golden files anew")

func full() Snapshot {
	at := time.Unix(1_764_000_000, 0)
	status := func(current nixcmd.StorePath, change func(*fleet.HostStatus)) *fleet.HostStatus {
		s := &fleet.HostStatus{RoundTrip: 20 * time.Millisecond}
		s.Current, s.Generation = current, "system-42-link"
		s.Profile = s.Current
		if change != nil {
			change(s)
		}
		return s
	}
	result := func(name string, s *fleet.HostStatus) fleet.Result {
		return fleet.Result{Host: fleet.Host{Name: name}, Outcome: fleet.Reached, Status: s}
	}
	a := result("p620", status("/nix/store/a", nil))
	a.Wanted = a.Status.Current
	b := result("razer", status("/nix/store/b", func(s *fleet.HostStatus) {
		s.FailedUnits, s.SwitchLocked = []string{"x.service"}, true
		s.Deployment = &fleet.HostDeployment{State: fleet.DeploymentWaits, Since: at.Add(-time.Minute)}
		s.Restored = &fleet.Restored{At: at.Add(-time.Hour)}
	}))
	b.Wanted, b.RebootFor = a.Wanted, []string{"kernel"}
	unknown := result("p510", status("/nix/store/c", nil))
	down := fleet.Result{Host: fleet.Host{Name: "dex5550"}, Outcome: fleet.Unreachable, Err: errors.New("no route")}
	buckets := make([]int64, len(history.Bounds()))
	for i := range buckets {
		buckets[i] = int64(min(i, 3))
	}
	return Snapshot{
		Totals: []history.Totals{{
			Host: "p620", Outcomes: map[fleet.Outcome]int64{fleet.Switched: 3, fleet.RolledBack: 1}, Tested: map[fleet.Outcome]int64{fleet.Built: 2},
			Evaluated: 2, Avoided: 5, Steps: map[fleet.Step]history.Histogram{fleet.StepBuild: {Count: 4, Sum: 90 * time.Second, Buckets: buckets}},
			Derivations: 7, Paths: 8, Bytes: 9, CacheHits: 10, CacheHitBytes: 11, CacheMisses: 1, CacheMissBytes: 12, Last: at, LastOutcome: fleet.RolledBack, Good: at.Add(-time.Hour),
		}, {Host: `od"d\`, Steps: map[fleet.Step]history.Histogram{}}},
		Survey:  &fleet.Report{Started: at, Duration: time.Second, Results: []fleet.Result{a, b, unknown, down}},
		Cache:   &fleet.CacheAnswer{URL: "http://p620:5000", Took: 30 * time.Millisecond},
		Drifted: map[string]time.Time{"razer": at.Add(-2 * time.Hour)},
	}
}

func text(t *testing.T, s Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	got := text(t, full())
	golden := filepath.Join("testdata", "metrics.prom")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("%v\n%s", err, got)
	}
	problems, err := promlint.New(strings.NewReader(got)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	if empty := text(t, Snapshot{}); empty != "" {
		t.Errorf("of nothing: %s", empty)
	}
}

// Whatever is unknown is left out, not told as 0.
func TestUnknownIsLeftOut(t *testing.T) {
	got := text(t, full())
	for _, never := range []string{
		`flotilla_host_drifted{host="p510"}`, `flotilla_host_round_trip_seconds{host="dex5550"}`, `flotilla_host_drifted{host="dex5550"}`,
		`flotilla_host_drifted_since_timestamp_seconds{host="p620"}`, `flotilla_last_deployment_timestamp_seconds{host="od`,
	} {
		if strings.Contains(got, never) {
			t.Errorf("has %s", never)
		}
	}
	d := Drifted(full().Survey)
	if len(d) != 2 || d["p620"] || !d["razer"] {
		t.Error(d)
	}
}

// The last deployment of a host that has left the fleet would be alerted on for ever;
// counters only grow, and stay.
func TestHostThatHasLeft(t *testing.T) {
	s := full()
	s.Hosts = []string{"razer"}
	if got := text(t, s); strings.Contains(got, "last_deployment") || strings.Contains(got, "last_good") || !strings.Contains(got, `flotilla_deployments_total{host="p620"`) {
		t.Error(got)
	}
	s.Hosts = []string{"razer", "p620"}
	if text(t, s) != text(t, full()) {
		t.Error(text(t, s))
	}
}

// docs/monitoring.md has a row for every metric and for no other.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := func(pattern, text string) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return all
	}
	told, written := names(`(?m)^# TYPE (\S+)`, text(t, full())), names("(?m)^\\| `(flotilla_[a-z_]+)", string(doc))
	if !slices.Equal(told, written) {
		t.Errorf("told\n%q\ndocumented\n%q", told, written)
	}
}

func TestWriteFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flotilla.prom")
	if err := full().WriteFile(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	info, err2 := os.Stat(file)
	if err != nil || err2 != nil || string(got) != text(t, full()) || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v, %v\n%s", err, err2, info.Mode(), got)
	}
	if err := full().WriteFile(filepath.Join(file, "below.prom")); err == nil {
		t.Error("no error")
	}
}

func TestPush(t *testing.T) {
	var path, method, user string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		path, method = r.URL.Path, r.Method
		user, _, _ = r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) == 0 {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	}))
	address := strings.Replace(s.URL, "http://", "http://u:secret@", 1)
	if err := full().Push(t.Context(), address, "control"); err != nil || path != "/metrics/job/flotilla/instance/control" || method != http.MethodPut || user != "u" {
		t.Errorf("%v: %s %s as %q", err, method, path, user)
	}
	s.Close()
	err := full().Push(t.Context(), address, "control")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), s.URL+": ") {
		t.Errorf("gateway down: %v", err)
	}
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refusing.Close()
	err = full().Push(t.Context(), strings.Replace(refusing.URL, "http://", "http://u:secret@", 1), "control")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("gateway refuses: %v", err)
	}
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hanging.Close()
	if err = full().Push(t.Context(), hanging.URL, "control"); err == nil || err.Error() != hanging.URL+": no answer in time" {
		t.Errorf("gateway hangs: %v", err)
	}
}

func TestHandler(t *testing.T) {
	take := func(context.Context) (Snapshot, error) { return full(), nil }
	ask := func(h http.Handler, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := ask(Handler(take), "text/plain"); w.Code != http.StatusOK || w.Body.String() != text(t, full()) {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	if w := ask(Handler(take), "application/openmetrics-text; version=1.0.0"); !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Errorf("no OpenMetrics:\n%s", w.Body)
	}
	failing := Handler(func(context.Context) (Snapshot, error) { return Snapshot{}, errors.New("no fleet") })
	if w := ask(failing, "text/plain"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "no fleet") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}

// A request whose time is up before it has its turn is not answered with no metrics,
// which would be a scrape that went well.
func TestHandlerThatIsBusy(t *testing.T) {
	taking, enough := make(chan struct{}), make(chan struct{})
	h := Handler(func(context.Context) (Snapshot, error) {
		close(taking)
		<-enough
		return full(), nil
	})
	over := make(chan struct{})
	go func() {
		defer close(over)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	}()
	<-taking
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "another") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	close(enough)
	<-over
}
