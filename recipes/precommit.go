package recipes

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// PreCommit tests what is staged: the syntax of its .nix files, then the hosts that it affects
//
// Options: -tree=TREE, -json. What is tested is the index, or a tree of the
// repository, and not the files in the work tree. Hosts that are as in the last
// commit are not built. See installHooks.
func PreCommit(ctx context.Context, tree *string, json *bool) error {
	asJSON(json)
	began := time.Now()
	var s staged
	if err := promptly(ctx, func(ctx context.Context) (err error) {
		s, err = stage(ctx, text(tree, ""))
		return err
	}); err != nil {
		return err
	}
	for _, e := range s.bad {
		ui.Problem(guarded(os.Stderr), e)
	}
	took := ui.Seconds(time.Since(began))
	switch {
	case len(s.bad) > 0:
		return mg.Fatal(fleet.ExitFailed, fmt.Sprintf("%d of %d staged .nix files have errors, %s", len(s.bad), s.files, took))
	case s.state == nil:
		fmt.Fprintln(os.Stderr, "no file differs from the last commit: nothing to test")
		return nil
	}
	fmt.Fprintf(os.Stderr, "%d staged .nix files without syntax errors, %s\n", s.files, took)
	opt := fleet.AffectedOptions{Since: s.since, SinceCommit: s.sinceCommit, Build: true}
	return showing(ctx, everyone, nil, affected(opt), nil, manner{state: s.state})
}

// staged is what is about to be committed.
type staged struct {
	// state is nil if it is what the last commit has; since is that commit's
	// flake and name, "" before the first.
	state              *fleet.State
	since, sinceCommit string
	files              int
	bad                []nixcmd.SyntaxError
}

// stage finds what is to be tested, a tree or what is staged, and checks its
// syntax.
func stage(ctx context.Context, tree string) (s staged, err error) {
	nix, err := flakesGit()
	if err != nil {
		return s, err
	}
	if tree == "" {
		if tree, err = nix.StagedTree(ctx); err != nil {
			return s, err
		}
	}
	variables, err := nix.RepositoryVariables(ctx)
	if err != nil {
		return s, err
	}
	for _, name := range variables {
		os.Unsetenv(name) // of the commit under way, and not of what follows
	}
	before, err := nix.HeadTree(ctx)
	if err != nil || before == tree {
		return s, err
	}
	if s.bad, s.files, err = nix.CheckSyntaxOf(ctx, before, tree); err != nil || len(s.bad) > 0 {
		return s, err
	}
	if before != "" {
		// Not the commit itself: its stand-in was what was tested before it was
		// made, so that Nix still knows what came of it.
		old, err := nix.CommitOf(ctx, before)
		if err != nil {
			return s, err
		}
		s.since, s.sinceCommit = old.FlakeRef(), old.ID
	}
	commit, err := nix.CommitOf(ctx, tree)
	if err == nil {
		s.state, err = stateOf(ctx, nix, commit)
	}
	return s, err
}
