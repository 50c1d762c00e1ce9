package recipes

import (
	"io"
	"os"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// face chooses how a run is shown: as JSON if that is asked for, else as suits
// the place it runs in. -v asks for everything that is printed, which a live
// view has no room for.
func face(hosts []fleet.Host, p part) ui.Face {
	switch {
	case forPrograms():
		return ui.NewJSONPart(os.Stdout, p.name, p.more)
	case onActions():
		return ui.NewActions(os.Stdout, os.Stderr, hosts, os.Getenv("GITHUB_STEP_SUMMARY"), mg.Verbose())
	case ui.CanLive(os.Stderr) && !mg.Verbose():
		return ui.NewLive(os.Stdout, os.Stderr, hosts)
	}
	return ui.NewPlain(os.Stdout, os.Stderr, hosts, mg.Verbose())
}

// part is one of several runs that make up a recipe; the zero value is a whole
// one. More says that another follows if it ends well.
type part struct {
	name string
	more bool
}

func onActions() bool { return os.Getenv("GITHUB_ACTIONS") == "true" }

// guarded is w for text of other programs that no face writes.
func guarded(w io.Writer) io.Writer {
	if onActions() {
		return ui.Guard(w)
	}
	return w
}
