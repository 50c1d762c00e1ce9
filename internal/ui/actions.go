package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/nixflotilla/flotilla/fleet"
)

// Actions is a Face for GitHub Actions: each host's lines in a group of their
// own, written when the host is done; an annotation for each host that failed,
// at the place in the flake if there is one; a table in the job's summary.
//
// It relies on the workflow commands as GitHub documents them ("Workflow
// commands for GitHub Actions") and as the runner's ActionCommand.cs parses
// them: a line that begins with "::", white space aside, or that has "##["
// anywhere. No line that holds other programs' text is let through as such.
type Actions struct {
	answers
	commands io.Writer
	summary  string
	lines    *Lines
	groups   map[string]*bytes.Buffer
	ended    map[string]bool // hosts whose group was written
}

// NewActions returns a Face whose progress, annotations and errors go to err,
// its answer to out, and its table to the file summary, which is appended to;
// "" means no table. The hosts and verbose are as for NewLines.
func NewActions(out, err io.Writer, hosts []fleet.Host, summary string, verbose bool) *Actions {
	return &Actions{
		answers: answers{guarded{out}, guarded{err}, verbose}, commands: err, summary: summary,
		lines: NewLines(io.Discard, hosts, verbose), groups: make(map[string]*bytes.Buffer), ended: make(map[string]bool),
	}
}

// Event keeps the event's line until its host is done; a warning that comes later, or is of
// none, is written at once.
func (a *Actions) Event(e fleet.Event) {
	if e.Host == "" || e.Kind == fleet.KindWarning && a.ended[e.Host] { // which no group is for
		a.lines.screen.w = a.err
		a.lines.Event(e)
		return
	}
	group := a.groups[e.Host]
	if group == nil {
		group = new(bytes.Buffer)
		a.groups[e.Host] = group
	}
	a.lines.screen.w = group
	a.lines.Event(e)
	if e.Result != nil {
		a.end(e, group)
	}
}

// end writes a host's group with one call, so that nothing comes between.
func (a *Actions) end(e fleet.Event, group *bytes.Buffer) {
	delete(a.groups, e.Host)
	a.ended[e.Host] = true
	var b bytes.Buffer
	fmt.Fprintf(&b, "::group::%s\n", commandText(fmt.Sprintf("%s: %s, %s", e.Host, e.Result.Outcome, Seconds(e.Duration))))
	guarded{&b}.Write(group.Bytes())
	b.WriteString("::endgroup::\n")
	a.commands.Write(b.Bytes())
}

// Write shows a note.
func (a *Actions) Write(text []byte) (int, error) { return a.err.Write(text) }

// Finish writes annotations, the answer and the job's summary.
func (a *Actions) Finish(r *fleet.Report, answer func(io.Writer, *fleet.Report)) {
	for _, res := range r.Results {
		var se *fleet.StepError
		if errors.As(res.Err, &se) && res.Outcome != fleet.Cancelled {
			io.WriteString(a.commands, annotation(se))
		}
	}
	a.write(r, answer)
	if a.summary == "" {
		return
	}
	if err := appendFile(a.summary, Markdown(r)); err != nil {
		fmt.Fprintf(a.err, "the job's summary could not be written: %v\n", err)
	}
}

// annotation is the workflow command that shows an error, beside the line of
// the flake if it is in one. Of many details it has the last, as a build log's.
func annotation(se *fleet.StepError) string {
	return annotate(se, fmt.Sprintf("%s: %s failed", se.Host, se.Step))
}

// annotate is annotation with a title.
func annotate(se *fleet.StepError, title string) string {
	const most = 20
	var properties []string
	if se.File != "" && filepath.IsLocal(se.File) {
		properties = append(properties, "file="+commandProperty(se.File))
		if se.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", se.Line))
		}
		if se.Line > 0 && se.Column > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", se.Column))
		}
	}
	properties = append(properties, "title="+commandProperty(title))
	text := append([]string{plain(se.Brief)}, allHarmless(se.Details[max(0, len(se.Details)-most):])...)
	if se.Hint != "" {
		text = append(text, plain(se.Hint))
	}
	return fmt.Sprintf("::error %s::%s\n", strings.Join(properties, ","), commandText(strings.Join(text, "\n")))
}

// commandText escapes the text of a workflow command, as the runner's toolkit
// does (actions/toolkit, packages/core/src/command.ts).
func commandText(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// commandProperty escapes a property of a workflow command.
func commandProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandText(plain(text)))
}

// Harmless is text of unknown origin as one line that can be written anywhere: no
// control character, and with onActions nothing that GitHub's runner takes for a
// workflow command in the middle of a line.
func Harmless(text string, onActions bool) string {
	text = plain(text)
	if onActions {
		text = strings.ReplaceAll(text, "##[", "## [")
	}
	return text
}

// Guard returns a writer that passes whole lines on to w, changed where GitHub's
// runner would take them for workflow commands: for programs' text that is
// written outside of a Face.
func Guard(w io.Writer) io.Writer { return guarded{w} }

// guarded passes whole lines on, changed where the runner would take them for
// workflow commands.
type guarded struct{ w io.Writer }

// Write wants whole lines.
func (g guarded) Write(text []byte) (int, error) {
	var b strings.Builder
	// The runner takes a carriage return for the end of a line as well.
	for l := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text))) {
		l = strings.ReplaceAll(l, "##[", "## [")
		// What precedes the colons may be anything but a letter or a digit:
		// which characters the runner trims is its own business.
		before, _, found := strings.Cut(l, "::")
		if found && !strings.ContainsFunc(before, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '│' }) {
			l = "│ " + l
		}
		b.WriteString(l)
	}
	if _, err := io.WriteString(g.w, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
