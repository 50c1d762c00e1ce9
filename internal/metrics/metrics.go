// Package metrics tells Prometheus of deployments and hosts, in names that
// docs/monitoring.md lists: as text, as a file for node-exporter's textfile
// collector, pushed to a Pushgateway, or served.
//
// Names and units follow OpenMetrics and Prometheus's own advice
// (prometheus.io/docs/practices/naming).
package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
)

// Snapshot is what is known at one moment. It is a prometheus.Collector.
type Snapshot struct {
	// Totals are what earlier runs came to.
	Totals []history.Totals
	// Hosts are all hosts of the fleet; nil if they are not known. Of a host that has
	// left it nobody wants to know any more how its last deployment ended.
	Hosts []string
	// Survey is a report of Fleet.Status; nil if the hosts were not asked.
	Survey *fleet.Report
	// Cache is what came of asking the fleet's own cache; nil if it was not asked.
	Cache *fleet.CacheAnswer
	// Drifted is since when hosts are known to run or boot something else than is
	// wanted; see history.DB.Drift.
	Drifted map[string]time.Time
}

// families are the descriptions of all metrics.
type families struct {
	deployments, tests, evaluations, steps                *prometheus.Desc
	derivations, paths, bytes                             *prometheus.Desc
	cachePaths, cacheBytes                                *prometheus.Desc
	last, lastOutcome, good                               *prometheus.Desc
	up, roundTrip, drifted, driftedSince, reboot          *prometheus.Desc
	failedUnits, changing, generation, surveyed, duration *prometheus.Desc
	lock, lockSince, wentBack, cacheUp, cacheAnswer       *prometheus.Desc
}

func describe() families {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("flotilla_"+name, help, labels, nil)
	}
	return families{
		deployments:  d("deployments_total", "Runs that were to change the host, by what came of them.", "host", "outcome"),
		tests:        d("tests_total", "Runs that evaluated or built the host's system only, by what came of them.", "host", "outcome"),
		evaluations:  d("evaluations_total", "Times that the host's system was wanted, by whether it was evaluated or known from before.", "host", "result"),
		steps:        d("step_duration_seconds", "Wall time of the steps of runs.", "host", "step"),
		derivations:  d("built_derivations_total", "Derivations built for the host.", "host"),
		paths:        d("downloaded_paths_total", "Store paths downloaded by builds for the host.", "host"),
		bytes:        d("downloaded_bytes_total", "Size of the store paths downloaded by builds for the host, unpacked (NAR size).", "host"),
		cachePaths:   d("cache_paths_total", "Store paths that the host lacked when the fleet's cache was asked, by whether they came from there.", "host", "result"),
		cacheBytes:   d("cache_bytes_total", "Size of the store paths that the host lacked when the fleet's cache was asked (NAR size), by whether they came from there.", "host", "result"),
		last:         d("last_deployment_timestamp_seconds", "When the latest run ended that was to change the host.", "host"),
		lastOutcome:  d("last_deployment_outcome", "1 for what came of the latest run that was to change the host.", "host", "outcome"),
		good:         d("last_good_deployment_timestamp_seconds", "When the latest run ended that left the host as is wanted.", "host"),
		up:           d("host_up", "Whether the host answers over ssh.", "host"),
		roundTrip:    d("host_round_trip_seconds", "Wall time of the smallest command over ssh.", "host"),
		drifted:      d("host_drifted", "Whether the host runs or boots something else than the flake wants.", "host"),
		driftedSince: d("host_drifted_since_timestamp_seconds", "Since when it is known to.", "host"),
		reboot:       d("host_reboot_pending", "Whether something takes effect only after a reboot.", "host"),
		failedUnits:  d("host_failed_units", "Units that systemd lists as failed.", "host"),
		changing:     d("host_changing", "Whether somebody is changing the host.", "host"),
		generation:   d("host_generation", "Number of the system profile's generation.", "host"),
		lock:         d("host_deployment_state", "1 for how far the deployment is that has the host's lock.", "host", "state"),
		lockSince:    d("host_deployment_since_timestamp_seconds", "Since when a deployment has the host's lock, by the host's clock.", "host"),
		wentBack:     d("host_went_back_timestamp_seconds", "When the host rolled back a deployment by itself, by the host's clock, if none went well since.", "host"),
		surveyed:     d("survey_timestamp_seconds", "When the hosts were asked."),
		duration:     d("survey_duration_seconds", "Wall time of asking them."),
		cacheUp:      d("cache_up", "Whether the fleet's own cache answers.", "cache"),
		cacheAnswer:  d("cache_answer_seconds", "Wall time of its answer, with making the connection.", "cache"),
	}
}

// Describe sends the descriptions of all metrics.
func (s Snapshot) Describe(to chan<- *prometheus.Desc) {
	f := describe()
	for _, d := range []*prometheus.Desc{
		f.deployments, f.tests, f.evaluations, f.steps, f.derivations, f.paths, f.bytes, f.cachePaths, f.cacheBytes, f.last, f.lastOutcome, f.good,
		f.up, f.roundTrip, f.drifted, f.driftedSince, f.reboot, f.failedUnits, f.changing, f.generation, f.surveyed, f.duration,
		f.lock, f.lockSince, f.wentBack, f.cacheUp, f.cacheAnswer,
	} {
		to <- d
	}
}

// Collect sends the metrics.
func (s Snapshot) Collect(to chan<- prometheus.Metric) {
	f := describe()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, t := range s.Totals {
		for o, n := range t.Outcomes {
			counter(f.deployments, n, t.Host, string(o))
		}
		for o, n := range t.Tested {
			counter(f.tests, n, t.Host, string(o))
		}
		counter(f.evaluations, t.Evaluated, t.Host, "made")
		counter(f.evaluations, t.Avoided, t.Host, "avoided")
		for step, h := range t.Steps {
			buckets := make(map[float64]uint64, len(h.Buckets))
			for i, bound := range history.Bounds() {
				buckets[bound.Seconds()] = uint64(h.Buckets[i])
			}
			to <- prometheus.MustNewConstHistogram(f.steps, uint64(h.Count), h.Sum.Seconds(), buckets, t.Host, string(step))
		}
		counter(f.derivations, t.Derivations, t.Host)
		counter(f.paths, t.Paths, t.Host)
		counter(f.bytes, t.Bytes, t.Host)
		if t.CacheHits+t.CacheMisses > 0 {
			counter(f.cachePaths, t.CacheHits, t.Host, "hit")
			counter(f.cachePaths, t.CacheMisses, t.Host, "miss")
			counter(f.cacheBytes, t.CacheHitBytes, t.Host, "hit")
			counter(f.cacheBytes, t.CacheMissBytes, t.Host, "miss")
		}
		if s.Hosts != nil && !slices.Contains(s.Hosts, t.Host) {
			continue
		}
		if !t.Last.IsZero() {
			gauge(f.last, unix(t.Last), t.Host)
			gauge(f.lastOutcome, 1, t.Host, string(t.LastOutcome))
		}
		if !t.Good.IsZero() {
			gauge(f.good, unix(t.Good), t.Host)
		}
	}
	if s.Cache != nil {
		gauge(f.cacheUp, truth(s.Cache.Err == nil), s.Cache.URL)
		if s.Cache.Err == nil {
			gauge(f.cacheAnswer, s.Cache.Took.Seconds(), s.Cache.URL)
		}
	}
	if s.Survey == nil {
		return
	}
	gauge(f.surveyed, unix(s.Survey.Started))
	gauge(f.duration, s.Survey.Duration.Seconds())
	for _, r := range s.Survey.Results {
		host := r.Host.Name
		gauge(f.up, truth(r.Status != nil), host)
		if r.Status == nil {
			continue
		}
		gauge(f.roundTrip, r.Status.RoundTrip.Seconds(), host)
		gauge(f.reboot, truth(len(r.RebootFor) > 0), host)
		gauge(f.failedUnits, float64(len(r.Status.FailedUnits)), host)
		gauge(f.changing, truth(r.Status.Busy() != ""), host)
		if d := r.Status.Deployment; d != nil {
			gauge(f.lock, 1, host, string(d.State))
			if !d.Since.IsZero() {
				gauge(f.lockSince, unix(d.Since), host)
			}
		}
		if back := r.Status.Restored; back != nil && !back.At.IsZero() {
			gauge(f.wentBack, unix(back.At), host)
		}
		if n := r.Status.GenerationNumber(); n > 0 {
			gauge(f.generation, float64(n), host)
		}
		switch r.Standing() {
		case fleet.StandingCurrent:
			gauge(f.drifted, 0, host)
		case fleet.StandingDiffers:
			gauge(f.drifted, 1, host)
			if since, known := s.Drifted[host]; known {
				gauge(f.driftedSince, unix(since), host)
			}
		}
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// Drifted tells which hosts of a report of Fleet.Status run or boot something else
// than is wanted, for history.DB.Drift; those of which that is not known are left
// out.
func Drifted(r *fleet.Report) map[string]bool {
	all := make(map[string]bool)
	for _, res := range r.Results {
		if s := res.Standing(); s == fleet.StandingCurrent || s == fleet.StandingDiffers {
			all[res.Host.Name] = s == fleet.StandingDiffers
		}
	}
	return all
}

func (s Snapshot) registry() *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(s)
	return r
}

// Text writes it in Prometheus's text format.
func (s Snapshot) Text(w io.Writer) error {
	families, err := s.registry().Gather()
	if err != nil {
		return err
	}
	e := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile puts it into a file for node-exporter's textfile collector, which may
// read it at any moment and wants a name that ends in .prom. It is readable for all.
func (s Snapshot) WriteFile(path string) error {
	if err := prometheus.WriteToTextfile(path, s.registry()); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// pushPatience is how long a Pushgateway may take: one that hangs holds up nobody.
const pushPatience = 3 * time.Second

// Push gives it to a Pushgateway, in the place of what this machine gave it before.
// It gives up after 3 seconds, or when ctx is done. No error names the address's user and password.
func (s Snapshot) Push(ctx context.Context, gateway, machine string) error {
	u, err := url.Parse(gateway)
	if err != nil {
		return errors.New("the address of the Pushgateway is none")
	}
	user := u.User
	u.User = nil
	p := push.New(u.String(), "flotilla").Gatherer(s.registry()).Grouping("instance", machine)
	if password, _ := user.Password(); user != nil {
		p = p.BasicAuth(user.Username(), password)
	}
	ctx, cancel := context.WithTimeout(ctx, pushPatience)
	defer cancel()
	err = p.PushContext(ctx)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u, err)
	}
	return nil
}

// Handler serves a snapshot per request, which take is asked for; requests that
// come while it works wait for their turn, and are refused when their context ends.
func Handler(take func(context.Context) (Snapshot, error)) http.Handler {
	turn := make(chan struct{}, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case turn <- struct{}{}:
		case <-r.Context().Done():
			http.Error(w, "the hosts are still being asked for another request", http.StatusServiceUnavailable)
			return
		}
		defer func() { <-turn }()
		s, err := take(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
	})
}
