package bench

import (
	"math"
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
// of other machines do not count. A change counts from LeastChange on; where the
// Scatter of the phase is known, from 3.5 times that on, and LeastKnown. A difference
// is Unclear if the machine was Busy before one of the two, or if the phase Control
// differs in the same direction, by LeastMachine; that is not corrected for the number of phases.
func (r Record) Rows(earlier []Record) []Row {
	earlier = slices.DeleteFunc(slices.Clone(earlier), func(e Record) bool { return e.Environment.Machine != r.Environment.Machine })
	rows := make([]Row, len(r.Series))
	compare := func(s Series, e *Record, least float64) *Comparison {
		if e == nil {
			return nil
		}
		c := Compare(e.Of(s.Phase).Seconds, s.Seconds, len(r.Series), least)
		machine := Compare(e.Of(Control).Seconds, r.Of(Control).Seconds, 1, LeastMachine)
		switch differs := c.Verdict == Faster || c.Verdict == Slower; {
		case !differs:
		case e.Environment.Busy() || r.Environment.Busy():
			c.Verdict = Unclear
		case s.Phase != Control && c.Verdict == machine.Verdict:
			c.Verdict, c.Machine = Unclear, machine.Change
		}
		return &c
	}
	for i, s := range r.Series {
		row := Row{Phase: s.Phase, Summary: Summarize(s.Seconds), CPU: Summarize(s.CPU).Median}
		if len(s.MaxRSS) > 0 {
			row.MaxRSS = slices.Max(s.MaxRSS)
		}
		var last, best *Record
		lowest, n := 0.0, 0
		for _, e := range earlier {
			values := e.Of(s.Phase).Seconds
			if len(values) == 0 {
				continue
			}
			n++
			last = &e
			if m := Summarize(values).Median; best == nil || m < lowest {
				best, lowest = &e, m
			}
		}
		least, leastBest := LeastChange, LeastChange
		if scatter := Scatter(s.Phase, earlier); scatter > 0 {
			least = max(LeastKnown, times*scatter)
			// The lowest of many is low by chance: by about sqrt(2 ln n) of their own
			// standard deviations, which is that of differences by the root of 2.
			leastBest = max(LeastKnown, (times+math.Sqrt(math.Log(float64(n))))*scatter)
		}
		row.Last, row.Best = compare(s, last, least), compare(s, best, leastBest)
		rows[i] = row
	}
	return rows
}

// times is how many standard deviations of the differences between runs are held for
// chance: with 8 phases, and an estimate of few differences, 3.5 keep the runs with a
// false verdict at a few in a hundred (TestRunsWithDrift).
const times = 3.5

// Scatter is by how much the medians of a phase differ from run to run though
// nothing has changed: the standard deviation of the relative differences, estimated
// by their median, so that a change which no record tells of does not spoil it. Pairs
// of successive records count if they are of the same system, Nix and kernel, and
// the machine was not Busy. It is 0 if there are fewer than 8 such pairs.
func Scatter(p Phase, records []Record) float64 {
	var differences []float64
	for i := 1; i < len(records); i++ {
		a, b := records[i-1], records[i]
		was, is := a.Environment, b.Environment
		if a.Toplevel != b.Toplevel || was.Machine != is.Machine || was.Nix != is.Nix || was.Kernel != is.Kernel || was.Busy() || is.Busy() {
			continue
		}
		before, after := Summarize(a.Of(p).Seconds).Median, Summarize(b.Of(p).Seconds).Median
		if before > 0 && after > 0 {
			differences = append(differences, math.Abs(math.Log(after/before)))
		}
	}
	if len(differences) < 8 {
		return 0
	}
	// Of a normal distribution, half of the deviations are below 0.6745 standard
	// deviations.
	return Summarize(differences).Median / 0.6745
}
