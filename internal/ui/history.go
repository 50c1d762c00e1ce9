package ui

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
)

// Runs writes earlier runs, a line each, in the order given; times are in this
// machine's zone.
func Runs(w io.Writer, runs []history.Run) error {
	head := []Cell{{Text: "RUN", Right: true}, {Text: "STARTED"}, {Text: "TARGET"}, {Text: "BY"}, {Text: "TIME", Right: true}, {Text: "WHAT CAME OF IT"}}
	var rows [][]Cell
	for _, r := range runs {
		took := "-"
		if r.Over {
			took = Seconds(r.Duration)
		}
		text, tone := cameOf(r)
		rows = append(rows, []Cell{{Text: strconv.FormatInt(r.ID, 10), Right: true}, {Text: started(r)}, {Text: r.Target},
			{Text: r.User + "@" + r.Machine}, {Text: took, Right: true}, {Text: text, Tone: tone}})
	}
	return Table(w, head, rows)
}

func started(r history.Run) string { return r.Started.Local().Format("2006-01-02 15:04") }

// cameOf counts the outcomes of a run.
func cameOf(r history.Run) (string, Tone) {
	if !r.Over {
		return "not ended: under way, or killed", Doubtful
	}
	count := map[fleet.Outcome]int{}
	var order []fleet.Outcome
	tone := Quiet
	for _, h := range r.Hosts {
		if count[h.Outcome]++; count[h.Outcome] == 1 {
			order = append(order, h.Outcome)
		}
		tone = worse(tone, outcomeTone(h.Outcome))
	}
	if len(r.Hosts) == 1 {
		return fmt.Sprintf("%s %s", r.Hosts[0].Name, r.Hosts[0].Outcome), tone
	}
	var parts []string
	for _, o := range order {
		parts = append(parts, fmt.Sprintf("%d %s", count[o], o))
	}
	return strings.Join(parts, ", "), tone
}

// outcomeTone is how an outcome stands out in a table, as elsewhere.
func outcomeTone(o fleet.Outcome) Tone {
	switch outcomeColor(o) {
	case green:
		return Good
	case yellow:
		return Doubtful
	case red:
		return Bad
	}
	return Quiet
}

// worse is the tone that a person should see of two.
func worse(a, b Tone) Tone {
	for _, t := range []Tone{Bad, Doubtful, Good} {
		if a == t || b == t {
			return t
		}
	}
	return Quiet
}

// RunHosts writes what became of hosts in earlier runs, a line for each host of each
// run.
func RunHosts(w io.Writer, runs []history.Run) error {
	head := []Cell{{Text: "RUN", Right: true}, {Text: "STARTED"}, {Text: "TARGET"}, {Text: "HOST"}, {Text: "OUTCOME"}, {Text: "TIME", Right: true}, {Text: "WHY"}}
	var rows [][]Cell
	for _, r := range runs {
		for _, h := range r.Hosts {
			rows = append(rows, []Cell{{Text: strconv.FormatInt(r.ID, 10), Right: true}, {Text: started(r)}, {Text: r.Target}, {Text: h.Name},
				{Text: string(h.Outcome), Tone: outcomeTone(h.Outcome)}, {Text: Seconds(h.Duration), Right: true}, {Text: whyThen(h)}})
		}
	}
	return Table(w, head, rows)
}

func whyThen(h history.Host) string {
	if h.Error == "" {
		return h.Reason
	}
	if h.Step == "" {
		return h.Error
	}
	return string(h.Step) + ": " + h.Error
}

// RunsCSV writes earlier runs as CSV (RFC 4180) with a head, a line for each host of
// each run and one for a run that has none.
func RunsCSV(w io.Writer, runs []history.Run) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"run", "started", "target", "command", "user", "machine", "revision", "dirty", "seconds", "exit_code",
		"host", "outcome", "ok", "host_seconds", "reason", "step", "error", "live", "wanted", "built_on",
		"derivations", "downloaded_paths", "downloaded_bytes", "evaluation_avoided", "evaluation_reason"}}
	decimal := func(d time.Duration) string { return strconv.FormatFloat(seconds(d), 'f', -1, 64) }
	for _, r := range runs {
		took, code := "", ""
		if r.Over {
			took, code = decimal(r.Duration), strconv.Itoa(r.ExitCode)
		}
		run := []string{strconv.FormatInt(r.ID, 10), jsonTime(r.Started), r.Target, r.Command, r.User, r.Machine, r.Revision, strconv.FormatBool(r.Dirty), took, code}
		if len(r.Hosts) == 0 {
			rows = append(rows, append(run, make([]string, len(rows[0])-len(run))...))
		}
		for _, h := range r.Hosts {
			rows = append(rows, append(run[:len(run):len(run)], h.Name, string(h.Outcome), strconv.FormatBool(h.Outcome.OK()), decimal(h.Duration), h.Reason,
				string(h.Step), h.Error, h.Live, h.Wanted, h.BuiltOn, strconv.Itoa(h.Build.Derivations), strconv.Itoa(h.Build.Paths),
				strconv.FormatInt(h.Build.Bytes, 10), strconv.FormatBool(h.Evaluation.Avoided), h.Evaluation.Reason))
		}
	}
	for _, row := range rows {
		for i := range row {
			row[i] = literal(plain(row[i]))
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// literal keeps a spreadsheet from taking a text for a formula.
func literal(text string) string {
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

type jsonRuns struct {
	V    int       `json:"v"`
	Runs []jsonRun `json:"runs"`
}

type jsonRun struct {
	Run       int64         `json:"run"`
	Started   string        `json:"started"`
	Target    string        `json:"target"`
	Command   string        `json:"command"`
	User      string        `json:"user"`
	Machine   string        `json:"machine"`
	Revision  string        `json:"revision,omitempty"`
	Dirty     bool          `json:"dirty"`
	Over      bool          `json:"over"`
	Seconds   float64       `json:"seconds,omitempty"`
	ExitCode  *int          `json:"exit_code,omitempty"`
	Cancelled bool          `json:"cancelled,omitempty"`
	Hosts     []jsonRunHost `json:"hosts"`
}

type jsonRunHost struct {
	Host       string        `json:"host"`
	Outcome    fleet.Outcome `json:"outcome"`
	OK         bool          `json:"ok"`
	Reason     string        `json:"reason,omitempty"`
	Step       fleet.Step    `json:"step,omitempty"`
	Error      string        `json:"error,omitempty"`
	Seconds    float64       `json:"seconds"`
	Live       string        `json:"live,omitempty"`
	Wanted     string        `json:"wanted,omitempty"`
	BuiltOn    string        `json:"built_on,omitempty"`
	Evaluation *jsonVerdict  `json:"evaluation,omitempty"`
	Build      *jsonBuild    `json:"build,omitempty"`
	Cache      *jsonCache    `json:"cache,omitempty"`
}

// JSONRuns is what earlier runs are as JSON; see docs/events.md.
func JSONRuns(runs []history.Run) any {
	out := jsonRuns{V: 1, Runs: []jsonRun{}}
	for _, r := range runs {
		j := jsonRun{
			Run: r.ID, Started: jsonTime(r.Started), Target: r.Target, Command: harmless(r.Command), User: plain(r.User), Machine: plain(r.Machine),
			Revision: r.Revision, Dirty: r.Dirty, Over: r.Over, Seconds: seconds(r.Duration), Cancelled: r.Cancelled, Hosts: []jsonRunHost{},
		}
		if r.Over {
			j.ExitCode = &r.ExitCode
		}
		for _, h := range r.Hosts {
			host := jsonRunHost{
				Host: h.Name, Outcome: h.Outcome, OK: h.Outcome.OK(), Reason: harmless(h.Reason), Step: h.Step, Error: harmless(h.Error),
				Seconds: seconds(h.Duration), Live: h.Live, Wanted: h.Wanted, BuiltOn: h.BuiltOn,
			}
			if h.Evaluation != (fleet.Verdict{}) {
				host.Evaluation = &jsonVerdict{h.Evaluation.Avoided, harmless(h.Evaluation.Reason)}
			}
			host.Cache = newJSONCache(h.Detail.Cache)
			if h.Build != (fleet.BuildWork{}) {
				host.Build = &jsonBuild{h.Build.Derivations, h.Build.Paths, h.Build.Bytes}
			}
			j.Hosts = append(j.Hosts, host)
		}
		out.Runs = append(out.Runs, j)
	}
	return out
}
