package chores

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/internal/signals"
)

// LabConfig is the lab of this checkout, with the running targets as its
// flotilla binary: what Mage compiled to run this very target.
func LabConfig(w io.Writer) (lab.Config, error) {
	repo, err := os.Getwd()
	if err != nil {
		return lab.Config{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return lab.Config{}, err
	}
	return lab.Config{Repo: repo, Flotilla: self, Log: logTo(w)}, nil
}

// LabUp boots the lab, or what of it does not run.
func LabUp(ctx context.Context, w io.Writer) error {
	c, err := LabConfig(w)
	if err != nil {
		return err
	}
	if _, err := lab.Up(ctx, c); err != nil {
		return err
	}
	fmt.Fprintln(w, "try:    go tool mage labExec 'flotilla quickDeploy p620'")
	fmt.Fprintln(w, "remove: go tool mage labDown")
	return nil
}

// LabExec runs a shell command in control, or beside it with the newer Nix, on this terminal.
func LabExec(ctx context.Context, command string, compat bool) error {
	c, err := LabConfig(os.Stderr)
	if err != nil {
		return err
	}
	l, err := lab.Open(ctx, c)
	if errors.Is(err, lab.ErrNotRunning) {
		return errors.New("the lab is not running; boot it with: go tool mage lab")
	}
	if err != nil {
		return err
	}
	// Ctrl-C is for the command, which has the terminal and would go on without it. The signal
	// is caught, since children would inherit that it is ignored.
	signals.Take()
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	run := l.Exec
	if compat {
		run = l.Compat
	}
	_, err = run(ctx, lab.ExecOptions{Argv: []string{"/bin/sh", "-c", command}, Interactive: true})
	var pe *proc.Error
	if errors.As(err, &pe) && pe.Code > 0 {
		return &exitError{fmt.Errorf("exit code %d in the lab", pe.Code), pe.Code}
	}
	return err
}

// LabDown removes what the lab made.
func LabDown(ctx context.Context, w io.Writer, keepImage bool) error {
	c, err := LabConfig(w)
	if err != nil {
		return err
	}
	if err := lab.Down(ctx, c, lab.DownOptions{KeepImage: keepImage}); err != nil {
		return err
	}
	if keepImage {
		fmt.Fprintln(w, "the lab is gone; its image is kept for the next one")
		return nil
	}
	fmt.Fprintln(w, "the lab is gone, with its images")
	return nil
}

func logTo(w io.Writer) func(string) {
	return func(line string) { fmt.Fprintln(w, "lab:", line) }
}
