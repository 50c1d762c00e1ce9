package fleet

import "github.com/nixflotilla/flotilla/nixcmd"

// buildProgress is what a build does now, and how far it is.
type buildProgress struct {
	text           string
	done, expected int
	// bytes are what was fetched, told only when a MiB or a hundredth is complete.
	bytes, bytesExpected int64
	// fetching is the path that is fetched; "" while something is built.
	fetching string
}

// take reports whether an event changes it. The counts, of derivations and
// paths, come after the event that they begin with, and far more often than
// they change.
func (p *buildProgress) take(e nixcmd.BuildEvent) bool {
	was := *p
	switch e.Kind {
	case nixcmd.BuildStarted:
		p.text, p.fetching = "building "+e.Derivation.Name(), ""
		if e.Machine != "" {
			p.text += " on " + e.Machine
		}
	case nixcmd.SendStarted:
		p.text, p.fetching = "sending "+e.Path.Name(), ""
	case nixcmd.FetchStarted:
		p.fetching = e.Path.Name()
	}
	t := e.Totals
	p.done, p.expected = t.BuildsDone+t.FetchesDone, t.BuildsExpected+t.FetchesExpected
	if t.BytesExpected != p.bytesExpected || t.BytesDone-p.bytes >= max(1<<20, t.BytesExpected/100) || t.BytesDone == t.BytesExpected {
		p.bytes, p.bytesExpected = t.BytesDone, t.BytesExpected
	}
	if p.fetching != "" {
		p.text = "fetching " + p.fetching
		if amount := amount(p.bytes, p.bytesExpected); amount != "" {
			p.text = "fetching " + amount + ": " + p.fetching
		}
	}
	return *p != was && p.text != ""
}
