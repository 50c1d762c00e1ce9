package recipes

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// Affected prints the hosts that differ between REV and the work tree, or within A..B, a line each
//
// Options: -on=SELECTOR, -json, -fresh. REV is a commit: main, HEAD~3; without it
// HEAD is meant: what is not committed yet. A..B compares the commit B with A, and A...B with where
// B's history parted from A's. A host is affected if the derivation of its system
// differs, if it is new, or if it does not evaluate (and then the exit code is not 0).
// Why goes to standard error.
// A host is evaluated only in the state of which its derivation is not known.
func Affected(ctx context.Context, rev string, on *string, json, fresh *bool) error {
	if strings.HasPrefix(rev, "-") {
		return failure(fmt.Errorf("%s is where the revision belongs: options come after it (affected HEAD -json, for what is not committed yet)", rev))
	}
	asJSON(json)
	anew(fresh)
	var since nixcmd.Commit
	var now *fleet.State
	err := promptly(ctx, func(ctx context.Context) (err error) {
		since, now, err = states(ctx, rev)
		return err
	})
	if err != nil {
		return err
	}
	opt := fleet.AffectedOptions{Since: since.FlakeRef(), SinceCommit: since.ID}
	return showing(ctx, text(on, everyone), nil, affected(opt), affectedNames, manner{state: now})
}

// withRevision is a command line in which affected, if it is the first word and has no revision, is
// asked about what is not committed yet.
func withRevision(args []string) []string {
	if len(args) < 2 || !isTarget(args[1], "affected") || len(args) > 2 && (args[2] == "--" || !strings.HasPrefix(args[2], "-")) {
		return args
	}
	return slices.Insert(slices.Clone(args), 2, "HEAD")
}

// affected is the action that compares the hosts with those of another state.
func affected(opt fleet.AffectedOptions) action {
	return func(ctx context.Context, s session) *fleet.Report {
		a := s.fleet.Affected(ctx, s.hosts, opt)
		for _, name := range a.Removed {
			fmt.Fprintf(s.face, "%s: removed, the flake had it before\n", ui.Harmless(name, onActions()))
		}
		return a.Hosts
	}
}

// affectedNames writes the hosts that are affected, for scripts; none if not all
// of them are known.
func affectedNames(w io.Writer, r *fleet.Report) {
	if r.Cancelled {
		return
	}
	for _, res := range r.Results {
		if res.Change != nil && res.Change.Affected {
			fmt.Fprintln(w, res.Host.Name)
		}
	}
}

// states are the two that a revision or a range names; now is nil for the work
// tree.
func states(ctx context.Context, rev string) (since nixcmd.Commit, now *fleet.State, err error) {
	nix, err := flakesGit()
	if err != nil {
		return since, nil, err
	}
	a, b, parted := strings.Cut(rev, "...")
	if !parted {
		var ranged bool
		if a, b, ranged = strings.Cut(rev, ".."); !ranged {
			since, err = nix.Commit(ctx, rev)
			return since, nil, err
		}
	}
	const head = "HEAD" // what Git takes for an end that is left out
	if since, err = nix.Commit(ctx, cmp.Or(a, head)); err != nil {
		return since, nil, err
	}
	until, err := nix.Commit(ctx, cmp.Or(b, head))
	if err == nil && parted {
		since, err = nix.MergeBase(ctx, since, until)
	}
	if err == nil {
		now, err = stateOf(ctx, nix, until)
	}
	return since, now, err
}

// flakesGit is Git, and Nix, in the flake's directory.
func flakesGit() (*nixcmd.Client, error) {
	dir, err := fleet.FindDir(".")
	return nixcmd.New(nixcmd.Config{Dir: dir}), err
}

// stateOf is the flake as a commit has it.
func stateOf(ctx context.Context, nix *nixcmd.Client, c nixcmd.Commit) (*fleet.State, error) {
	inventory, err := nix.FileIn(ctx, c, fleet.FileName)
	return &fleet.State{Flake: c.FlakeRef(), Commit: c.ID, Inventory: inventory}, err
}

// promptly does work that Ctrl-C may end at once, and makes its error one for
// Mage.
func promptly(ctx context.Context, work func(context.Context) error) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	switch err := work(ctx); {
	case err != nil && ctx.Err() != nil:
		return mg.Fatal(fleet.ExitCancelled, "interrupted")
	case err != nil:
		return failure(err)
	}
	return nil
}
