package ui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// ErrDeclined says that a person was asked and did not agree.
var ErrDeclined = errors.New("not confirmed: nothing was done")

// Confirm asks a yes-or-no question and returns nil for yes. Anything else, and
// the end of the input, is ErrDeclined; when ctx is done it stops waiting and
// returns ctx's cause. Where there is no terminal to ask on it returns an error
// that says how to agree beforehand.
func Confirm(ctx context.Context, in *os.File, out io.Writer, question string) error {
	if err := Askable(in, question); err != nil {
		return err
	}
	// What was typed before the question was there does not answer it.
	if err := unix.IoctlSetInt(int(in.Fd()), unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return fmt.Errorf("the terminal cannot be asked on: %w", err)
	}
	fmt.Fprintf(out, "%s [y/N] ", question)
	if err := awaitInput(ctx, in); err != nil {
		fmt.Fprintln(out)
		return err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(out)
		return ErrDeclined
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return ErrDeclined
}

// Askable returns an error that says how to agree beforehand if there is no
// terminal to ask a question on.
func Askable(in *os.File, question string) error {
	if term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return fmt.Errorf("%s There is no terminal to ask on; agree with -yes or FLOTILLA_YES=1", question)
}

// awaitInput returns once there is something to read, without reading it: a
// read from a terminal cannot be cancelled.
func awaitInput(ctx context.Context, in *os.File) error {
	const milliseconds = 100
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
		switch n, err := unix.Poll(fds, milliseconds); {
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case n > 0:
			return nil
		}
	}
}
