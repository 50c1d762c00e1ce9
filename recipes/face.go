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
func face(hosts []fleet.Host) ui.Face {
	switch {
	case os.Getenv("FLOTILLA_JSON") == "1":
		return ui.NewJSON(os.Stdout)
	case onActions():
		return ui.NewActions(os.Stdout, os.Stderr, hosts, os.Getenv("GITHUB_STEP_SUMMARY"), mg.Verbose())
	case ui.CanLive(os.Stderr) && !mg.Verbose():
		return ui.NewLive(os.Stdout, os.Stderr, hosts)
	}
	return ui.NewPlain(os.Stdout, os.Stderr, hosts, mg.Verbose())
}

func onActions() bool { return os.Getenv("GITHUB_ACTIONS") == "true" }

// guarded is w for text of other programs that no face writes.
func guarded(w io.Writer) io.Writer {
	if onActions() {
		return ui.Guard(w)
	}
	return w
}
