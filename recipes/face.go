package recipes

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// face chooses how a run is shown: as JSON if that is asked for, else as suits
// the place it runs in. -v asks for everything that is printed, which a live
// view has no room for.
func face(out io.Writer, hosts []fleet.Host, p part) ui.Face {
	switch {
	case forPrograms():
		return ui.NewJSONPart(out, p.name, p.more)
	case onActions():
		return ui.NewActions(out, os.Stderr, hosts, os.Getenv("GITHUB_STEP_SUMMARY"), mg.Verbose())
	case ui.CanLive(os.Stderr) && !mg.Verbose():
		return ui.NewLive(out, os.Stderr, hosts)
	}
	return ui.NewPlain(out, os.Stderr, hosts, mg.Verbose())
}

// part is one of several runs that make up a recipe; the zero value is a whole
// one. More says that another follows if it ends well.
type part struct {
	name string
	more bool
}

// output is standard output, and remembers what became of it: who is told nothing must
// not be told that all is well.
type output struct {
	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := os.Stdout.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = cmp.Or(o.err, err)
	return n, err
}

// Fd is what a terminal is known by.
func (o *output) Fd() uintptr { return os.Stdout.Fd() }

// failed is the error for Mage of an answer that could not be written, if it was not.
func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return failure(fmt.Errorf("the answer could not be written: %w", o.err))
}

func onActions() bool { return os.Getenv("GITHUB_ACTIONS") == "true" }

// guarded is w for text of other programs that no face writes.
func guarded(w io.Writer) io.Writer {
	if onActions() {
		return ui.Guard(w)
	}
	return w
}
