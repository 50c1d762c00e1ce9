package ui

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// schema is the version of the lines' form; see docs/events.md for what may
// change without it.
const schema = 1

// JSON is a Face that writes an object per line for each event and, last, one
// for the report. docs/events.md describes them.
type JSON struct {
	mu sync.Mutex
	w  io.Writer
	// part is which part of a run in several parts this is, "" for a whole one;
	// more says that another follows if this one ends well.
	part string
	more bool
}

// NewJSON returns a Face that writes to w, each line with one call.
func NewJSON(w io.Writer) *JSON { return &JSON{w: w} }

// NewJSONPart is NewJSON for one part of a run that has several, which write to
// the same w one after the other. Part is its name. If more are to follow once it
// has ended well, its report is then a line of the kind "part", so that the kind
// "report" remains that of the last line.
func NewJSONPart(w io.Writer, part string, more bool) *JSON {
	return &JSON{w: w, part: part, more: more}
}

// jsonEvent is a line; what does not apply is left out.
type jsonEvent struct {
	V        int         `json:"v"`
	Time     string      `json:"time"`
	Kind     string      `json:"kind"`
	Part     string      `json:"part,omitempty"`
	Host     string      `json:"host,omitempty"`
	Step     fleet.Step  `json:"step,omitempty"`
	Text     string      `json:"text,omitempty"`
	Stderr   bool        `json:"stderr,omitempty"`
	Done     int         `json:"done,omitempty"`
	Expected int         `json:"expected,omitempty"`
	Bytes    int64       `json:"bytes,omitempty"`
	BytesExp int64       `json:"bytes_expected,omitempty"`
	Rate     int64       `json:"bytes_per_second,omitempty"`
	StepLeft float64     `json:"step_left_seconds,omitempty"`
	Usual    float64     `json:"usual_seconds,omitempty"`
	Left     float64     `json:"left_seconds,omitempty"`
	Seconds  float64     `json:"seconds,omitempty"`
	CPU      float64     `json:"cpu_seconds,omitempty"`
	MaxRSS   int64       `json:"max_rss_bytes,omitempty"`
	Outcome  string      `json:"outcome,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Known    string      `json:"known,omitempty"`
	Error    *jsonError  `json:"error,omitempty"`
	Input    *jsonInput  `json:"input,omitempty"`
	Report   *jsonReport `json:"report,omitempty"`
}

type jsonError struct {
	Step     fleet.Step `json:"step,omitempty"`
	Brief    string     `json:"brief"`
	File     string     `json:"file,omitempty"`
	Line     int        `json:"line,omitempty"`
	Column   int        `json:"column,omitempty"`
	ExitCode *int       `json:"exit_code,omitempty"`
	Hint     string     `json:"hint,omitempty"`
	Details  []string   `json:"details,omitempty"`
	Argv     []string   `json:"argv,omitempty"`
}

// Event writes the event's line.
func (j *JSON) Event(e fleet.Event) {
	out := jsonEvent{
		Kind: string(e.Kind), Host: e.Host, Step: e.Step, Text: harmless(e.Text), Stderr: e.Stderr,
		Done: e.Done, Expected: e.Expected, Seconds: seconds(e.Duration), Error: newJSONError(e.Err),
		CPU: seconds(e.Usage.UserTime + e.Usage.SystemTime), MaxRSS: e.Usage.MaxRSS,
		Bytes: e.Bytes, BytesExp: e.BytesExpected, Rate: e.Rate, StepLeft: seconds(e.StepLeft), Usual: seconds(e.Usual), Left: seconds(e.Left),
	}
	if r := e.Result; r != nil {
		out.Outcome, out.Reason, out.Error = string(r.Outcome), harmless(r.Reason), newJSONError(r.Err)
	}
	j.line(e.Time, out)
}

// Write writes a note as a line of the kind "note".
func (j *JSON) Write(text []byte) (int, error) {
	j.line(time.Now(), jsonEvent{Kind: "note", Text: harmless(strings.Trim(string(text), "\n"))})
	return len(text), nil
}

// Finish writes the report's line. The answer, which is for other readers, is
// not written.
func (j *JSON) Finish(r *fleet.Report, _ func(io.Writer, *fleet.Report)) {
	kind := "report"
	if j.more && r.ExitCode() == fleet.ExitOK {
		kind = "part"
	}
	j.line(time.Now(), jsonEvent{Kind: kind, Part: j.part, Seconds: seconds(r.Duration), Report: newJSONReport(r)})
}

func (j *JSON) line(at time.Time, e jsonEvent) {
	e.V, e.Time = schema, jsonTime(at)
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return // impossible: these types have no value that JSON has not
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	// The same JSON, which only inside of strings can hold what GitHub's runner
	// takes for a command anywhere in a line.
	io.WriteString(j.w, strings.ReplaceAll(b.String(), "##[", `##\u005b`))
}

// newJSONError is nil for nil.
func newJSONError(err error) *jsonError {
	var se *fleet.StepError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &se):
		return &jsonError{Brief: harmless(err.Error())}
	}
	e := &jsonError{
		Step: se.Step, Brief: harmless(se.Brief), File: harmless(se.File), Line: se.Line, Column: se.Column,
		Hint: harmless(se.Hint), Details: allHarmless(se.Details), Argv: allHarmless(se.Argv),
	}
	if se.ExitCode >= 0 {
		e.ExitCode = &se.ExitCode
	}
	return e
}

// harmless is plain for text whose lines are kept.
func harmless(text string) string {
	return strings.Join(allHarmless(strings.Split(text, "\n")), "\n")
}

func allHarmless(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = plain(t)
	}
	return out
}

// jsonTime has nine digits always, so that lines sort as text.
func jsonTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") }

// seconds has microseconds: what is below is noise.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }
