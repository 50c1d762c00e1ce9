package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/metrics"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Metrics asks all hosts and prints what Prometheus would want to know, or serves it (-serve=ADDRESS)
//
// Options: -on=SELECTOR; -fast: asks the hosts only, not what the flake wants;
// -offline: asks nobody, what earlier runs came to only; -serve=127.0.0.1:9479: asks
// at every scrape, at /metrics, until Ctrl-C; -textfile=FILE, -push=URL: instead of
// standard output; -rules, -dashboard: prints alert rules for Prometheus, and a
// dashboard for Grafana, and nothing else. docs/monitoring.md has the metrics.
func Metrics(ctx context.Context, on *string, fast, offline *bool, serve, textfile, push *string, rules, dashboard *bool) error {
	if is(rules) || is(dashboard) {
		if err := printShipped(is(rules), is(dashboard)); err != nil {
			return failure(err)
		}
		return nil
	}
	for option, value := range map[string]*string{"-serve": serve, "-push": push} {
		// An unset variable in a script must not mean every address of this machine.
		if value != nil && *value == "" {
			return failure(fmt.Errorf("%s needs an address", option))
		}
	}
	q := surveyor{selector: text(on, everyone), fast: is(fast), offline: is(offline), failing: map[string]bool{}}
	if serve != nil {
		if textfile != nil || push != nil {
			return failure(errors.New("-serve answers by itself; leave -textfile and -push out"))
		}
		return q.serve(ctx, *serve)
	}
	var files outFiles
	defer files.drop()
	file := files.create("textfile", textfile)
	if files.err != nil {
		return failure(files.err)
	}
	return promptly(ctx, func(ctx context.Context) error {
		s, err := q.take(ctx)
		if err == nil {
			err = ctx.Err() // hosts that were not waited for are not down
		}
		if err != nil {
			return err
		}
		if textfile == nil && push == nil {
			return s.Text(os.Stdout)
		}
		errs := []error{file.write(s.Text)}
		if push != nil {
			errs = append(errs, s.Push(ctx, *push, machineName()))
		}
		return errors.Join(errs...)
	})
}

func printShipped(rules, dashboard bool) error {
	if rules && dashboard {
		return errors.New("-rules and -dashboard are two files; choose one")
	}
	text := metrics.Rules
	if dashboard {
		text = metrics.Dashboard
	}
	_, err := io.WriteString(os.Stdout, text)
	return err
}

func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// surveyor takes snapshots of the fleet as fleet.toml has it at that moment.
type surveyor struct {
	selector      string
	fast, offline bool
	// failing are the hosts of which it was said last that they fail.
	failing map[string]bool
}

func (q surveyor) take(ctx context.Context) (s metrics.Snapshot, err error) {
	f, err := open(fleet.Config{})
	if err != nil {
		return s, err
	}
	defer f.Close(context.WithoutCancel(ctx))
	kept := context.WithoutCancel(ctx) // time that is up for the hosts is not for it
	db, err := openHistory(kept, f)
	if err != nil {
		return s, err
	}
	defer db.Close()
	s.Hosts = hostNames(f)
	if !q.offline {
		hosts, err := f.Select(ctx, q.selector)
		if err != nil {
			return s, err
		}
		var cache sync.WaitGroup
		cache.Go(func() { s.Cache = f.AskCache(ctx) })
		s.Survey = f.Status(ctx, hosts, fleet.StatusOptions{HostsOnly: q.fast})
		cache.Wait()
		if !errors.Is(ctx.Err(), context.Canceled) { // by Ctrl-C, or a scraper that went away
			q.say(s.Survey)
		}
		if s.Drifted, err = db.Drift(kept, time.Now(), metrics.Drifted(s.Survey)); err != nil {
			return s, err
		}
	}
	s.Totals, err = db.Totals(kept)
	return s, err
}

// hostNames are the hosts that fleet.toml lists, nil if it lists none.
func hostNames(f *fleet.Fleet) (names []string) {
	for _, h := range f.Inventory.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// say says on standard error why a host does not answer or cannot be evaluated, which
// metrics do not: once, and that it is over.
func (q surveyor) say(r *fleet.Report) {
	for _, res := range r.Results {
		fails := res.Err != nil
		if fails == q.failing[res.Host.Name] {
			continue
		}
		q.failing[res.Host.Name] = fails
		line := res.Host.Name + ": no error any more"
		var failed *fleet.StepError
		if fails {
			line = res.Err.Error()
		}
		if errors.As(res.Err, &failed) && failed.Hint != "" {
			line += "; " + failed.Hint
		}
		fmt.Fprintln(os.Stderr, ui.Harmless(line, onActions()))
	}
}

// scrapeTime is how long a scrape may take of which Prometheus does not say it.
const scrapeTime = 10 * time.Second

// within is when an answer must be on its way: Prometheus says how long it waits.
func within(r *http.Request) time.Duration {
	const margin = 500 * time.Millisecond
	limit := scrapeTime
	if s, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64); err == nil && s > 0 && s < 3600 {
		limit = time.Duration(s * float64(time.Second))
	}
	return max(limit/2, limit-margin)
}

func (q surveyor) serve(ctx context.Context, address string) error {
	// What is wrong with the fleet is told at once.
	f, err := open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	if err := f.Close(ctx); err != nil {
		return failure(err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return failure(fmt.Errorf("-serve=%s: %w", address, err))
	}
	ctx, _, stop := interruptible(ctx, os.Stderr, "serving no longer")
	defer stop()
	answer := metrics.Handler(func(ctx context.Context) (metrics.Snapshot, error) { return q.take(ctx) })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		limited, cancel := context.WithTimeout(r.Context(), within(r))
		defer cancel()
		answer.ServeHTTP(w, r.WithContext(limited))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	over := make(chan struct{})
	go func() {
		defer close(over)
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(end) != nil {
			server.Close()
		}
	}()
	fmt.Fprintln(os.Stderr, ui.Harmless("metrics are at http://"+listener.Addr().String()+"/metrics (Ctrl-C ends it)", onActions()))
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return failure(err)
	}
	<-over
	return nil // what a service that was told to end is to say
}
