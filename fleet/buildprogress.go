package fleet

import "github.com/nixflotilla/flotilla/nixcmd"

// buildProgress is what a build does now, and how far it is.
type buildProgress struct {
	text           string
	done, expected int
}

// take reports whether an event changes it. The counts, of derivations and
// paths, come after the event that they begin with, and far more often than
// they change.
func (p *buildProgress) take(e nixcmd.BuildEvent) bool {
	was := *p
	switch e.Kind {
	case nixcmd.BuildStarted:
		p.text = "building " + e.Derivation.Name()
	case nixcmd.SendStarted:
		p.text = "sending " + e.Path.Name()
	case nixcmd.FetchStarted:
		p.text = "fetching " + e.Path.Name()
	}
	p.done = e.Totals.BuildsDone + e.Totals.FetchesDone
	p.expected = e.Totals.BuildsExpected + e.Totals.FetchesExpected
	return *p != was && p.text != ""
}
