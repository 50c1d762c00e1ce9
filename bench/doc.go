// Package bench is Flotilla's benchmark harness: it will repeat and interleave
// scenarios, sample their phases from the executor's events, and say with
// statistics whether one is faster than another. So far it holds the types
// that the rest of the project agrees on; nothing measures yet.
package bench

import "time"

// Phase names a part of a run that is timed on its own, in the words of the
// executor's steps: "survey", "evaluate", "build", "copy", "activate", or "run"
// for the whole.
type Phase string

// Sample is one measurement of one phase.
type Sample struct {
	// Phase is what was measured.
	Phase Phase
	// Duration is wall time.
	Duration time.Duration
	// UserTime and SystemTime are the processor time of the children that the
	// phase ran; 0 if it ran none.
	UserTime, SystemTime time.Duration
	// MaxRSS is the largest resident set of a single child, in bytes; 0 if the
	// phase ran none.
	MaxRSS int64
}
