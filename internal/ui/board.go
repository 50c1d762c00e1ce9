package ui

import (
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// board is what the live view knows of a run. It draws frames and knows
// nothing of terminals.
type board struct {
	rows  []row
	index map[string]int
	began time.Time
	// pace is on how many hosts work goes on; usual is how wide the column of
	// usual times has become, 0 while there was none.
	pace  pace
	usual int
}

// row is what is known of one host.
type row struct {
	name string
	// active are the steps that have begun and not ended.
	active []activeStep
	// activity is what is going on; done and expected count it, 0 if unknown.
	activity       string
	done, expected int64
	forecast       forecast
	result         *fleet.Result
}

type activeStep struct {
	step  fleet.Step
	began time.Time
	usual time.Duration
}

func newBoard(hosts []fleet.Host, began time.Time) *board {
	b := &board{index: make(map[string]int, len(hosts)), began: began}
	for _, h := range hosts {
		b.index[h.Name] = len(b.rows)
		b.rows = append(b.rows, row{name: h.Name})
	}
	return b
}

func (b *board) event(e fleet.Event) {
	i, ok := b.index[e.Host]
	if !ok {
		return
	}
	r := &b.rows[i]
	worked := r.works()
	defer func() {
		if works := r.works(); works && !worked {
			b.pace.change(b.pace.now+1, e.Time)
		} else if worked && !works {
			b.pace.change(b.pace.now-1, e.Time)
		}
	}()
	r.forecast.event(e)
	switch e.Kind {
	case fleet.KindStarted:
		r.active = append(r.active, activeStep{e.Step, e.Time, e.Usual})
		r.does("", 0, 0)
	case fleet.KindDone, fleet.KindFailed, fleet.KindGivenUp:
		r.active = slices.DeleteFunc(r.active, func(a activeStep) bool { return a.step == e.Step })
		if r.does("", 0, 0); len(r.active) == 0 {
			r.activity = e.Text
		}
	case fleet.KindProgress:
		r.does(e.Text, int64(e.Done), int64(e.Expected))
		if e.Step == fleet.StepCopy && e.BytesExpected > 0 {
			r.done, r.expected = e.Bytes, e.BytesExpected
		}
	case fleet.KindLog:
		if e.Step == fleet.StepActivate || e.Step == fleet.StepCommit || e.Step == fleet.StepRestore {
			r.does(e.Text, 0, 0)
		}
	case fleet.KindDecided:
		r.does(e.Text, 0, 0)
	case fleet.KindResult:
		r.result, r.active = e.Result, nil
	case fleet.KindWarning, fleet.KindExpected:
	}
}

func (r *row) does(activity string, done, expected int64) {
	r.activity, r.done, r.expected = activity, done, expected
}

// state sorts hosts by how much they want to be looked at.
type state int

const (
	running state = iota
	failed
	waiting
	done
)

func (r *row) state() state {
	switch {
	case r.result == nil && len(r.active) == 0:
		return waiting
	case r.result == nil:
		return running
	case r.result.Outcome.OK():
		return done
	}
	return failed
}
