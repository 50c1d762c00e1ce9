package fleet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// service is a fake host: each check is healthy from one time on until another.
type service struct {
	began       time.Time
	mu          sync.Mutex
	from, until map[string]time.Duration
	hangs       map[string]bool
	// sessions are the checks that each session on the host made.
	sessions []string
}

func (s *service) here(ctx context.Context, c HealthCheck) verdict {
	if s.hangs[c.Name] {
		select {
		case <-ctx.Done():
		case <-time.After(c.timeout()):
		}
		return verdict{false, "no answer"}
	}
	now := time.Since(s.began)
	until, ends := s.until[c.Name]
	return verdict{now >= s.from[c.Name] && (!ends || now < until), fmt.Sprint(now)}
}

func (s *service) there(ctx context.Context, checks []HealthCheck) []verdict {
	var all []verdict
	var asked []string
	for _, c := range checks {
		all = append(all, s.here(ctx, c))
		asked = append(asked, c.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = append(s.sessions, strings.Join(asked, "+"))
	return all
}

// watched runs the checks against a service, and says which passed, in which
// order, and how long it all took.
func watched(t *testing.T, s *service, w *watch, deadline time.Duration) (results []HealthResult, passed string, took time.Duration) {
	t.Helper()
	s.began = time.Now()
	var order []string
	w.here, w.there = s.here, s.there
	w.passed = func(r HealthResult) { order = append(order, r.Check) }
	w.changed = func(done int, _ string) {
		if done != len(order) {
			t.Errorf("%d are done, told %d", len(order), done)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	results = w.run(ctx)
	return results, strings.Join(order, " "), time.Since(s.began)
}

// local and remote checks, of which the second have their own interval.
func mixed() []HealthCheck {
	return []HealthCheck{
		{Name: "tcp", TCP: 1},
		{Name: "unit", Units: []string{"a.service"}},
		{Name: "slow", Command: []string{"x"}, Interval: 3 * time.Second},
	}
}

// A check passes with its successes in a row, at its interval; those on the host
// share a session whenever they are due together; nothing is tried any more once
// it has passed.
func TestWatchPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{from: map[string]time.Duration{"tcp": 4 * time.Second}}
		results, passed, took := watched(t, s, &watch{checks: mixed()}, time.Minute)
		if passed != "unit slow tcp" || took != 5*time.Second {
			t.Errorf("%s in %s: %+v", passed, took, results)
		}
		if got := strings.Join(s.sessions, " "); got != "unit+slow unit slow" {
			t.Errorf("sessions: %s", got)
		}
		if results[0].Tries != 6 || results[1].Tries != 2 || !results[0].OK {
			t.Errorf("%+v", results)
		}
	})
}

// What is well at first and then is not has not passed.
func TestWatchWantsSuccessesInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{until: map[string]time.Duration{"tcp": time.Second / 2}}
		results, passed, took := watched(t, s, &watch{checks: mixed()[:2]}, 9500*time.Millisecond)
		if passed != "unit" || took != 9500*time.Millisecond || results[0].OK || results[0].Answer != "9s; 1 of 10 tries in 9s went well, but never 2 in a row" {
			t.Errorf("%s in %s: %+v", passed, took, results)
		}
	})
}

// A success in the last moment is none, and does not read as one.
func TestWatchTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{from: map[string]time.Duration{"tcp": 9 * time.Second}}
		results, _, _ := watched(t, s, &watch{checks: mixed()[:1]}, 9500*time.Millisecond)
		if r := results[0]; r.OK || r.Answer != "9s; 1 of 10 tries in 9s went well, but never 2 in a row" {
			t.Errorf("%+v", r)
		}
	})
}

// One that is well every other time fails for that, whatever the last try gave.
func TestWatchFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		here := func(context.Context, HealthCheck) verdict { n++; return verdict{n%2 == 1, fmt.Sprint("try ", n)} }
		w := &watch{checks: mixed()[:1], here: here, passed: func(HealthResult) {}, changed: func(int, string) {}}
		ctx, cancel := context.WithTimeout(t.Context(), 7500*time.Millisecond)
		defer cancel()
		if r := w.run(ctx)[0]; r.OK || r.Answer != "try 8; 4 of 8 tries in 7s went well, but never 2 in a row" {
			t.Errorf("%+v", r)
		} else if got := (&failedChecks{failed: []HealthResult{r}}).lines(); got[0] != "tcp: "+r.Answer {
			t.Errorf("%q", got)
		}
	})
}

// One that hangs holds up no other, and the deadline is kept.
func TestWatchHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{hangs: map[string]bool{"tcp": true}}
		results, passed, took := watched(t, s, &watch{checks: mixed()}, 7*time.Second)
		if passed != "unit slow" || took != 7*time.Second || results[0].Tries != 1 || results[0].Answer != "no answer" {
			t.Errorf("%s in %s: %+v", passed, took, results)
		}
		results, _, _ = watched(t, s, &watch{checks: mixed()[:1]}, 2*time.Second)
		if r := results[0]; r.OK || r.Tries != 1 || r.Answer != "no answer yet" {
			t.Errorf("%+v", r)
		}
	})
}

// What failed before is tried, but not waited for to the deadline.
// wall is a context of which the deadline has passed before it is done, as it is for
// a connection: the one has its own timer for it.
type wall struct {
	context.Context
	at time.Time
}

func (w wall) Deadline() (time.Time, bool) { return w.at, true }

func TestWatchCutByItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began, tries := time.Now(), 0
		w := watch{
			checks: []HealthCheck{{Name: "tcp", TCP: 1}}, passed: func(HealthResult) {}, changed: func(int, string) {},
			here: func(ctx context.Context, c HealthCheck) verdict {
				switch tries++; tries {
				case 1:
					return verdict{false, "connection refused"}
				case 2:
					at, _ := ctx.Deadline()
					time.Sleep(time.Until(at))
					return verdict{false, "no answer within 5s"}
				}
				cancel()
				return verdict{false, "there was no time for this"}
			},
		}
		r := w.run(wall{ctx, began.Add(4 * time.Second)})[0]
		if r.Answer != "connection refused" || r.Tries != 1 || tries != 2 {
			t.Errorf("%+v after %d tries", r, tries)
		}
	})
}

func TestWatchExcuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{from: map[string]time.Duration{"tcp": time.Hour}}
		results, passed, took := watched(t, s, &watch{checks: mixed(), excused: map[string]bool{"tcp": true, "slow": true}}, time.Minute)
		if passed != "unit slow" || took != excusedGrace || results[0].OK || !results[0].FailedBefore || !results[1].OK || results[1].FailedBefore {
			t.Errorf("%s in %s: %+v", passed, took, results)
		}
	})
}

// Once means once.
func TestWatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{from: map[string]time.Duration{"slow": time.Second}}
		results, passed, took := watched(t, s, &watch{checks: mixed(), once: true}, time.Minute)
		if took != 0 || strings.Contains(passed, "slow") || len(s.sessions) != 1 || results[2].Tries != 1 || !results[0].OK || !results[1].OK {
			t.Errorf("%s in %s, %v: %+v", passed, took, s.sessions, results)
		}
	})
}

// What the checks that are made from here take for an answer.
func TestAskFromHere(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Grafana 11") })
	mux.Handle("/moved", http.RedirectHandler("/nowhere", http.StatusFound))
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) })
	stuck := make(chan struct{})
	mux.HandleFunc("/stuck", func(http.ResponseWriter, *http.Request) { <-stuck })
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(stuck)
	_, digits, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, _ := strconv.Atoi(digits)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	url := func(path string) string { return "http://{address}:" + digits + path }
	for _, c := range []struct {
		check HealthCheck
		ok    bool
		text  string
	}{
		{HealthCheck{TCP: port}, true, "takes connections"},
		{HealthCheck{TCP: nobody}, false, "connection refused"},
		{HealthCheck{HTTP: url("/ok")}, true, "200 OK"},
		{HealthCheck{HTTP: "http://:" + digits + "/ok"}, true, "200 OK"},
		{HealthCheck{HTTP: url("/ok"), Status: 200, Body: `Grafana \d+`}, true, "200 OK, body as wanted"},
		{HealthCheck{HTTP: url("/ok"), Body: "Prometheus"}, false, `200 OK, but its body does not match "Prometheus"`},
		{HealthCheck{HTTP: url("/moved")}, true, "302 Found"},
		{HealthCheck{HTTP: url("/moved"), Status: 200}, false, "302 Found, wanted 200"},
		{HealthCheck{HTTP: url("/bad")}, false, "503 Service Unavailable"},
		{HealthCheck{HTTP: url("/nowhere"), Status: 404}, true, "404 Not Found"},
		{HealthCheck{HTTP: url("/stuck"), Timeout: 50 * time.Millisecond}, false, "no answer within 50ms"},
		{HealthCheck{HTTP: fmt.Sprintf("http://{address}:%d/", nobody)}, false, "connection refused"},
		{HealthCheck{HTTP: "https://{address}:" + digits + "/"}, false, "HTTP response to HTTPS client"},
	} {
		p := &prober{job: &job{host: Host{Name: "a", Address: "127.0.0.1"}}}
		v := p.here(t.Context(), c.check)
		if v.ok != c.ok || !strings.HasSuffix(v.text, c.text) || strings.Contains(v.text, "Get ") || strings.Contains(v.text, "dial ") {
			t.Errorf("%+v: %+v", c.check, v)
		}
	}
}

// health.sh under a real shell: commands run at the same time, as arguments and
// nothing else, each with its own end; what they print tells nothing but itself.
func TestHealthScript(t *testing.T) {
	if _, err := proc.LookPath("timeout"); err != nil {
		t.Skip("there is no timeout(1) here")
	}
	var args []string
	command := func(seconds string, words ...string) {
		args = append(append(args, "command", seconds, strconv.Itoa(len(words))), words...)
	}
	command("5.000", "true")
	command("5.000", "false")
	command("5.000", "printf", "%s|", "a b", "$(id)", "'", `"`, "*", "-n")
	command("5.000", "printf", "first\nlast\n\n")
	command("5.000", "/no/such/program")
	command("0.200", "sleep", "60")
	command("5.000", "printf", "end ok\ncheck-2 ok mine")
	command("5.000", "sh", "-c", "echo why >&2; exit 3")
	command("5.000", "printf", "0")
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"sh", "-s", "--"}, args...), Stdin: strings.NewReader("{ :; " + healthScript + "\n}\n")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := parseAnswer(string(res.Stdout))
	if err != nil {
		t.Fatalf("%v: %s", err, res.Stdout)
	}
	for i, want := range []verdict{
		{true, "exit code 0"},
		{false, "exit code 1"},
		{true, `exit code 0: a b|$(id)|'|"|*|-n|`},
		{true, "exit code 0: last"},
		{false, "exit code 127: "},
		{false, "no answer within 200ms"},
		{true, "exit code 0: check-2 ok mine"},
		{false, "exit code 3: why"},
		{true, "exit code 0: 0"},
	} {
		got := parseVerdict(a, i, 200*time.Millisecond, nil)
		if got.ok != want.ok || !strings.HasPrefix(got.text, want.text) || want.ok && got.text != want.text {
			t.Errorf("%d: %+v, want %+v", i+1, got, want)
		}
	}
	if n := len(slices.Collect(strings.Lines(string(res.Stdout)))); n != 10 {
		t.Errorf("%d lines:\n%s", n, res.Stdout)
	}
}

// Whatever a host says, a check is ok only if it said so.
func FuzzParseVerdict(f *testing.F) {
	f.Add("check-1 ok a\nend ok\n")
	f.Add("check-1 okay\ncheck-2 late\nend\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAnswer(text)
		v := parseVerdict(a, 0, time.Second, err)
		if v.ok && (err != nil || !strings.Contains(text, "check-1 ")) || !v.ok && v.text == "" && !strings.Contains(text, "failed") {
			t.Fatalf("%q: %+v", text, v)
		}
	})
}
