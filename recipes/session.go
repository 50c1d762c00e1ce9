package recipes

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// action is what a recipe does with the hosts it picked.
type action func(ctx context.Context, s session) *fleet.Report

// session is one recipe at work.
type session struct {
	fleet *fleet.Fleet
	hosts []fleet.Host
	// face takes notes on the run as a whole.
	face ui.Face
	// abandon is closed at the second Ctrl-C.
	abandon <-chan struct{}
	// passwords are those for sudo.
	passwords *passwords
}

// everyone is the selector of recipes that are for all hosts.
const everyone = "*"

// on picks hosts, acts on them, shows what happens and what came of it, and
// turns the report into the error that makes Mage exit with the right code.
func on(ctx context.Context, selector string, act action) error {
	return asking(ctx, selector, nil, act)
}

// question asks a person whether to go on; nil means yes.
type question func(ctx context.Context, s session) error

// put asks a question, which Ctrl-C ends at once.
func put(ctx context.Context, ask question, s session) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	switch err := ask(ctx, s); {
	case ctx.Err() != nil:
		return mg.Fatal(fleet.ExitCancelled, "interrupted: nothing was done")
	case err != nil:
		return failure(err)
	}
	return nil
}

// asking is on, with a question before anything is done; an error of ask ends
// the recipe.
func asking(ctx context.Context, selector string, ask question, act action) error {
	return answering(ctx, selector, ask, act, nil)
}

// answer writes what a recipe was asked for to standard output.
type answer func(w io.Writer, r *fleet.Report)

// answering is asking for a recipe with an answer of its own, which has
// standard output to itself; nil means that the report is the answer.
func answering(ctx context.Context, selector string, ask question, act action, tell answer) error {
	return showing(ctx, selector, ask, act, tell, manner{})
}

// manner is how a recipe differs in other ways; the zero value does not.
type manner struct {
	// state is what to look at instead of the flake in the working directory.
	state *fleet.State
	// face is how it is shown.
	face func(io.Writer, []fleet.Host) ui.Face
	// part is which part of the recipe it is.
	part part
	// interrupted is what it says to Ctrl-C.
	interrupted string
	// unseen is shared with whoever warns of files besides; nil for nobody.
	unseen *fleet.Unseen
	// passwords are those of the part before; nil means that there are none yet.
	passwords *passwords
}

// showing is answering in a manner.
func showing(ctx context.Context, selector string, ask question, act action, tell answer, how manner) error {
	if how.face == nil {
		how.face = func(out io.Writer, hosts []fleet.Host) ui.Face { return face(out, hosts, how.part) }
	}
	if how.interrupted == "" {
		how.interrupted = "starting nothing new; activations under way come to their end (again to stop waiting for them)"
	}
	if how.passwords == nil {
		how.passwords = &passwords{}
	}
	if err := named(selector); err != nil {
		return failure(err)
	}
	shown := &lateSink{}
	f, err := openAnew(fleet.Config{Sink: shown, State: how.state, Password: how.passwords.of, BuildHost: os.Getenv("FLOTILLA_BUILD_HOST"), Unseen: how.unseen})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	if err := strayHost(words(), selector, f.Inventory); err != nil {
		return failure(err)
	}
	var hosts []fleet.Host
	pick := func(ctx context.Context, s session) (err error) {
		hosts, err = s.fleet.Select(ctx, selector)
		return err
	}
	if err := put(ctx, pick, session{fleet: f}); err != nil {
		return err
	}
	out := &output{}
	face := how.face(out, hosts)
	shown.Sink = face

	if ask != nil {
		if err := put(ctx, ask, session{fleet: f, hosts: hosts, passwords: how.passwords}); err != nil {
			return err
		}
	}
	ctx, abandon, stop := interruptible(ctx, face, how.interrupted)
	defer stop()
	r := act(ctx, session{fleet: f, hosts: hosts, face: face, abandon: abandon})
	face.Finish(r, tell)
	if ctx.Err() != nil && r.ExitCode() == fleet.ExitOK {
		// Too late to change the outcome, but not to keep what follows from
		// being started.
		return mg.Fatal(fleet.ExitCancelled, "interrupted: "+ui.Summary(r))
	}
	if err := verdict(r); err != nil {
		return err
	}
	return out.failed()
}

// lateSink is a sink whose destination is known once the hosts are.
type lateSink struct{ fleet.Sink }

// verdict is the error for Mage of a run, nil if every host ended well.
func verdict(r *fleet.Report) error {
	switch code := r.ExitCode(); code {
	case fleet.ExitOK:
		return nil
	case fleet.ExitCancelled:
		// Hosts may have ended well all the same.
		return mg.Fatal(code, "interrupted: "+ui.Summary(r))
	default:
		return mg.Fatal(code, ui.Summary(r))
	}
}

// failure is the error for Mage of a run that never began.
func failure(err error) error {
	all := []error{err}
	// Only what errors.Join made: other errors say by themselves what they wrap.
	if several, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(several.Unwrap()...).Error() {
		all = several.Unwrap()
	}
	lines := make([]string, len(all))
	for i, e := range all {
		var hinted interface{ Hint() string }
		lines[i] = ui.Harmless(e.Error(), onActions())
		if errors.As(e, &hinted) && hinted.Hint() != "" {
			lines[i] += "; " + ui.Harmless(hinted.Hint(), onActions())
		}
	}
	return mg.Fatal(fleet.ExitFailed, strings.Join(lines, "\n       "))
}
