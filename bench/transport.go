package bench

import (
	"context"
	"errors"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// The phases of Transport. Those of copies are by fleet.ByPool; Phase.By names the same
// by another way.
const (
	// RoundTrip, Session, Handshake and Uplink are those of fleet.Link; Uplink is how
	// long as many bytes take as CopyLarge sends.
	RoundTrip Phase = "round-trip"
	Session   Phase = "session"
	Handshake Phase = "handshake"
	Uplink    Phase = "uplink"
	// CopyNothing, CopySmall and CopyLarge copy the small paths to a host that has
	// them, or has not, and the large one.
	CopyNothing Phase = "nothing"
	CopySmall   Phase = "small"
	CopyLarge   Phase = "large"
)

// By is the phase of a copy that goes another way.
func (p Phase) By(w fleet.Way) Phase {
	if w == fleet.ByPool {
		return p
	}
	return p + ": " + Phase(w)
}

// TransportOptions are options of Transport.
type TransportOptions struct {
	// Rounds is how many samples of each phase are taken, 1 to MostRounds.
	Rounds int
	// Small is how many small paths are copied, at least 1; LargeBytes is the size of
	// the large one, 0 for none.
	Small      int
	LargeBytes int64
	// Beside copies in the other ways, too.
	Beside bool
	// Progress is called with what is being done; nil means nobody looks.
	Progress func(text string, round int)
}

// TransportResult is what came of Transport.
type TransportResult struct {
	// V is the version of this form: 1.
	V int `json:"v"`
	// Time is when it began.
	Time time.Time `json:"time"`
	// Environment is where it ran.
	Environment Environment `json:"environment"`
	// Small and LargeBytes are as in the options.
	Small      int   `json:"small_paths"`
	LargeBytes int64 `json:"large_bytes"`
	// Hosts are the hosts, in the order given.
	Hosts []TransportSeries `json:"hosts"`
	// AtOnce is CopySmall to all hosts at the same time; nil for a single host.
	AtOnce *Series `json:"at_once,omitempty"`
}

// TransportSeries are the samples of one host. Those of the same index are of the same
// round.
type TransportSeries struct {
	// Host is the host's name.
	Host string `json:"host"`
	// Series are the samples, by phase.
	Series []Series `json:"series"`
}

// Of returns the series of a phase; without samples if there is none.
func (h TransportSeries) Of(p Phase) Series { return Record{Series: h.Series}.Of(p) }

// Transport measures how fast paths come to hosts, one host at a time, and then all at
// once. The paths are made up for it, and deleted again here and there, also when it
// fails or ctx is done; nothing else is deleted, and what a host runs stays as it is.
// That they could not be deleted is an error. Other errors are as those of Host.
func Transport(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host, opt TransportOptions) (r TransportResult, err error) {
	if opt.Rounds < 1 || opt.Rounds > MostRounds || opt.Small < 1 || opt.LargeBytes < 0 {
		return r, errors.New("the options of the benchmark are out of their range")
	}
	progress := func(text string, round int) {
		if opt.Progress != nil {
			opt.Progress(text, round)
		}
	}
	r = TransportResult{V: recordVersion, Time: time.Now().UTC().Truncate(time.Second), Small: opt.Small, LargeBytes: opt.LargeBytes}
	if r.Environment, err = Look(ctx, f); err != nil {
		return r, err
	}
	progress("making up what is copied", 0)
	cargo, err := f.MakeCargo(ctx, opt.Small, opt.LargeBytes)
	if err != nil {
		return r, err
	}
	t := &transport{fleet: f, cargo: cargo, there: map[string]bool{}}
	defer func() {
		progress("deleting what was copied", 0)
		err = errors.Join(err, t.tidy(context.WithoutCancel(ctx), hosts))
	}()

	s := Scenario{Warmups: 1, Rounds: opt.Rounds, Progress: func(round int) {
		if round == 1 {
			t.links = nil
		}
		progress("measuring", round)
	}}
	var owner []int
	for i := range hosts {
		for _, task := range t.tasks(hosts[i:i+1], opt) {
			owner = append(owner, i)
			s.Tasks = append(s.Tasks, task)
		}
		r.Hosts = append(r.Hosts, TransportSeries{Host: hosts[i].Name})
	}
	if len(hosts) > 1 {
		s.Tasks = append(s.Tasks, t.copying(AtOnce, hosts, fleet.Cargo{Small: cargo.Small}, fleet.ByPool, false))
	}
	all, err := s.Run(ctx)
	if err != nil {
		return r, err
	}
	for i, series := range all {
		if i == len(owner) {
			r.AtOnce = &series
			break
		}
		h := &r.Hosts[owner[i]]
		h.Series = append(h.Series, series)
		if series.Phase == RoundTrip {
			h.Series = append(h.Series, t.rest(h.Host, opt)...)
		}
	}
	r.Environment.LoadAfter = load()
	return r, nil
}

// transport is a benchmark under way.
type transport struct {
	fleet *fleet.Fleet
	cargo fleet.Cargo
	// there says which hosts have the small paths.
	there map[string]bool
	links map[string][]fleet.Link
}

func (t *transport) tasks(host []fleet.Host, opt TransportOptions) []Task {
	tasks := []Task{{RoundTrip, func(ctx context.Context) (Sample, error) {
		links, report := t.fleet.MeasureLink(ctx, host, opt.LargeBytes)
		if err := check(report); err != nil {
			return Sample{}, err
		}
		if t.links == nil {
			t.links = map[string][]fleet.Link{}
		}
		t.links[host[0].Name] = append(t.links[host[0].Name], links[0])
		return Sample{Duration: links[0].RoundTrip}, nil
	}}}
	small, large := fleet.Cargo{Small: t.cargo.Small}, fleet.Cargo{Large: t.cargo.Large}
	ways := []fleet.Way{fleet.ByPool}
	if opt.Beside {
		ways = append(ways, fleet.ByItself, fleet.ByClosure)
	}
	for _, way := range ways {
		tasks = append(tasks, t.copying(CopyNothing.By(way), host, small, way, true), t.copying(CopySmall.By(way), host, small, way, false))
	}
	for _, way := range ways {
		if opt.LargeBytes > 0 {
			tasks = append(tasks, t.copying(CopyLarge.By(way), host, large, way, false))
		}
	}
	return tasks
}

// copying is a copy to hosts that have the paths already, or do not.
func (t *transport) copying(phase Phase, hosts []fleet.Host, cargo fleet.Cargo, way fleet.Way, there bool) Task {
	small := len(cargo.Small) > 0
	return Task{phase, func(ctx context.Context) (Sample, error) {
		for i, h := range hosts {
			var before *fleet.Report
			switch {
			case !there:
				before = t.fleet.Unload(ctx, hosts[i:i+1], cargo)
			case !t.there[h.Name]:
				before = t.fleet.Carry(ctx, hosts[i:i+1], cargo, fleet.ByPool)
			}
			if before != nil {
				if err := check(before); err != nil {
					return Sample{}, err
				}
			}
			if small {
				t.there[h.Name] = true
			}
		}
		report := t.fleet.Carry(ctx, hosts, cargo, way)
		if len(hosts) > 1 {
			return Sample{Duration: report.Duration}, check(report)
		}
		return stepOf(report, fleet.StepCopy)
	}}
}

// rest are the series of the links that are measured together with RoundTrip.
func (t *transport) rest(host string, opt TransportOptions) []Series {
	session, handshake, uplink := Series{Phase: Session}, Series{Phase: Handshake}, Series{Phase: Uplink}
	for _, l := range t.links[host] {
		session.add(Sample{Duration: l.Session})
		handshake.add(Sample{Duration: l.Handshake})
		if l.Uplink > 0 {
			uplink.add(Sample{Duration: time.Duration(float64(opt.LargeBytes) / l.Uplink * float64(time.Second))})
		}
	}
	if opt.LargeBytes == 0 {
		return []Series{session, handshake}
	}
	return []Series{session, handshake, uplink}
}

// tidyFor bounds how long it takes to delete what was copied.
const tidyFor = 2 * time.Minute

// tidy deletes the paths everywhere.
func (t *transport) tidy(ctx context.Context, hosts []fleet.Host) error {
	ctx, cancel := context.WithTimeout(ctx, tidyFor)
	defer cancel()
	if err := errors.Join(check(t.fleet.Unload(ctx, hosts, t.cargo)), t.fleet.DropCargo(ctx, t.cargo)); err != nil {
		return &LeftError{err}
	}
	return nil
}

// LeftError says that paths which were made up to be copied could not be deleted.
type LeftError struct {
	// Err is why.
	Err error
}

// Error says so, and why.
func (e *LeftError) Error() string { return "what was copied could not be deleted: " + e.Err.Error() }

// Unwrap returns why.
func (e *LeftError) Unwrap() error { return e.Err }
