package ui

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
)

//go:embed runpage.html
var runPage string

// RunPage writes an earlier run as an HTML page that needs nothing else: when each
// host's steps were taken, what became of it and why. Times are in this machine's
// zone.
func RunPage(w io.Writer, r history.Run) error {
	t, err := template.New("run").Parse(runPage)
	if err != nil {
		return err
	}
	return t.Execute(w, newPage(r))
}

type page struct {
	Title, Started, By, Command, Revision, Took string
	Over                                        bool
	Exit                                        int
	Counts                                      []pageCount
	Ticks                                       []pageTick
	Legend                                      []fleet.Step
	Hosts                                       []pageHost
}

type pageCount struct {
	Outcome, Tone string
	N             int
}

// pageTick is a mark on the time axis; Left is in per cent.
type pageTick struct {
	Left template.CSS
	Text string
}

type pageHost struct {
	history.Host
	ID                      string
	Tone, Took              string
	Live, Wanted, Why, Work string
	Bars                    []pageBar
	Steps                   []pageStep
	Health                  []pageCheck
	Changes                 *pageChanges
	Lines                   []string
}

type pageBar struct {
	Step        fleet.Step
	Title       string
	Left, Width template.CSS
}

type pageStep struct {
	Step                        fleet.Step
	Began, Took, CPU, MaxMemory string
}

type pageCheck struct {
	Name, Tone, Word, Answer, Took string
}

func newPage(r history.Run) page {
	p := page{
		Title: fmt.Sprintf("Run %d: %s", r.ID, plain(r.Target)), Started: r.Started.Local().Format("2006-01-02 15:04:05 MST"),
		By: plain(r.User + "@" + r.Machine), Command: plain(r.Command), Revision: orText(plain(r.Revision), "unknown"),
		Over: r.Over, Exit: r.ExitCode, Took: Seconds(r.Duration),
	}
	if r.Dirty {
		p.Revision += ", with changes"
	}
	whole := r.Duration
	for _, h := range r.Hosts {
		for _, s := range h.Steps {
			whole = max(whole, s.Began+s.Duration)
		}
	}
	used := map[fleet.Step]bool{}
	for i, h := range r.Hosts {
		p.count(h.Outcome)
		p.Hosts = append(p.Hosts, newPageHost(h, i, whole))
		for _, s := range h.Steps {
			if !used[s.Step] {
				used[s.Step] = true
				p.Legend = append(p.Legend, s.Step)
			}
		}
	}
	for at := range ticks(whole) {
		p.Ticks = append(p.Ticks, pageTick{percent(at, whole), tickText(at)})
	}
	return p
}

func (p *page) count(o fleet.Outcome) {
	for i := range p.Counts {
		if p.Counts[i].Outcome == string(o) {
			p.Counts[i].N++
			return
		}
	}
	p.Counts = append(p.Counts, pageCount{string(o), pageTone(o), 1})
}

func newPageHost(h history.Host, n int, whole time.Duration) pageHost {
	out := pageHost{
		Host: h, ID: fmt.Sprintf("host-%d", n), Tone: pageTone(h.Outcome), Took: Seconds(h.Duration), Live: plain(h.Live), Wanted: plain(h.Wanted), Why: plain(whyThen(h)),
	}
	out.Name, out.BuiltOn, out.Evaluation.Reason, out.Detail.Hint = plain(h.Name), plain(h.BuiltOn), plain(h.Evaluation.Reason), plain(h.Detail.Hint)
	out.Changes = newPageChanges(h.Detail.Changes)
	if b := h.Build; b != (fleet.BuildWork{}) {
		out.Work = fmt.Sprintf("%s built, %s downloaded (%s)", Count(b.Derivations, "derivation"), Count(b.Paths, "path"), Bytes(b.Bytes))
	}
	if c := h.Detail.Cache.String(); c != "" {
		out.Work = strings.TrimPrefix(out.Work+"; "+c, "; ")
	}
	for _, l := range h.Detail.Lines {
		out.Lines = append(out.Lines, plain(l))
	}
	for _, s := range h.Steps {
		out.Bars = append(out.Bars, pageBar{s.Step, fmt.Sprintf("%s: %s, from %s", s.Step, Seconds(s.Duration), Seconds(s.Began)),
			percent(s.Began, whole), percent(s.Duration, whole)})
		step := pageStep{Step: s.Step, Began: Seconds(s.Began), Took: Seconds(s.Duration)}
		if cpu := s.Usage.UserTime + s.Usage.SystemTime; cpu > 0 {
			step.CPU, step.MaxMemory = Seconds(cpu), Bytes(s.Usage.MaxRSS)
		}
		out.Steps = append(out.Steps, step)
	}
	for _, c := range h.Detail.Health {
		check := pageCheck{plain(c.Name), "bad", "failed", plain(c.Answer), Seconds(c.Duration)}
		switch {
		case c.OK:
			check.Tone, check.Word = "good", "passed"
		case c.FailedBefore:
			check.Tone, check.Word = "doubtful", "failed before too"
		}
		out.Health = append(out.Health, check)
	}
	return out
}

func pageTone(o fleet.Outcome) string {
	return map[Tone]string{Good: "good", Doubtful: "doubtful", Bad: "bad", Quiet: "quiet"}[outcomeTone(o)]
}

// percent is a part of the whole; CSS, since it is made of a number only.
func percent(part, whole time.Duration) template.CSS {
	if whole <= 0 {
		return "0"
	}
	return template.CSS(fmt.Sprintf("%.3f", 100*min(1, max(0, part.Seconds()/whole.Seconds()))))
}

// ticks are four to ten round points in time.
func ticks(whole time.Duration) func(yield func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		if whole <= 0 {
			return
		}
		step := math.Pow(10, math.Floor(math.Log10(whole.Seconds())))
		switch n := whole.Seconds() / step; {
		case n < 2:
			step /= 5
		case n < 5:
			step /= 2
		}
		for n := 0; ; n++ {
			at := time.Duration(float64(n) * step * float64(time.Second))
			if at > whole || !yield(at) {
				return
			}
		}
	}
}

func tickText(at time.Duration) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.4f", at.Seconds()), "0"), ".") + " s"
}
