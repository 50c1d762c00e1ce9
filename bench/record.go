package bench

import (
	"slices"
	"time"
)

// Record is what came of benchmarking one host once.
type Record struct {
	// V is the version of this form: 1.
	V int `json:"v"`
	// Time is when it began.
	Time time.Time `json:"time"`
	// Host is the host's name.
	Host string `json:"host"`
	// Toplevel is the store path of the system that the flake wants for it.
	Toplevel string `json:"toplevel"`
	// Environment is where it ran.
	Environment Environment `json:"environment"`
	// Rebuilt are the names of the derivations that the phase "rebuild" builds,
	// LeftOut those that could not be built again.
	Rebuilt []string `json:"rebuilt"`
	LeftOut []string `json:"left_out,omitempty"`
	// NotMeasured says of phases why they are missing.
	NotMeasured map[Phase]string `json:"not_measured,omitempty"`
	// Series are the samples, by phase.
	Series []Series `json:"series"`
}

// recordVersion is the V of records that this package writes and reads.
const recordVersion = 1

// Of returns the series of a phase; without samples if there is none.
func (r Record) Of(p Phase) Series {
	i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Phase == p })
	if i < 0 {
		return Series{Phase: p}
	}
	return r.Series[i]
}

// Row is what is to be said of one phase of a record.
type Row struct {
	// Phase is the phase.
	Phase Phase
	// Summary describes its wall times, in seconds.
	Summary Summary
	// CPU is the median processor time in seconds, MaxRSS the largest resident set
	// of a child in bytes; 0 if not known.
	CPU    float64
	MaxRSS int64
	// Last and Best compare with the last record that has this phase, and with the
	// one that has its lowest median; nil if there is none.
	Last, Best *Comparison
}

// Rows compares a record with earlier ones of the same host, oldest first. Those
// of other machines do not count. A difference is Unclear if the machine was Busy
// before one of the two, or if the phase Control differs in the same direction.
func (r Record) Rows(earlier []Record) []Row {
	rows := make([]Row, len(r.Series))
	compare := func(s Series, e *Record) *Comparison {
		if e == nil {
			return nil
		}
		c := Compare(e.Of(s.Phase).Seconds, s.Seconds, len(r.Series))
		machine := Compare(e.Of(Control).Seconds, r.Of(Control).Seconds, len(r.Series))
		differs := c.Verdict == Faster || c.Verdict == Slower
		if s.Phase != Control && differs && (c.Verdict == machine.Verdict || e.Environment.Busy() || r.Environment.Busy()) {
			c.Verdict = Unclear
		}
		return &c
	}
	for i, s := range r.Series {
		row := Row{Phase: s.Phase, Summary: Summarize(s.Seconds), CPU: Summarize(s.CPU).Median}
		if len(s.MaxRSS) > 0 {
			row.MaxRSS = slices.Max(s.MaxRSS)
		}
		var last, best *Record
		lowest := 0.0
		for _, e := range earlier {
			values := e.Of(s.Phase).Seconds
			if len(values) == 0 || e.Environment.Machine != r.Environment.Machine {
				continue
			}
			last = &e
			if m := Summarize(values).Median; best == nil || m < lowest {
				best, lowest = &e, m
			}
		}
		row.Last, row.Best = compare(s, last), compare(s, best)
		rows[i] = row
	}
	return rows
}
