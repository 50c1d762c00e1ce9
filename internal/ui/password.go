package ui

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// CanAsk reports whether there is a terminal to ask on.
func CanAsk(in *os.File) bool { return term.IsTerminal(int(in.Fd())) }

// AskPassword asks for a line on a terminal, which does not show what is typed. When
// ctx is done it stops waiting and returns ctx's cause. The end of the input is
// ErrDeclined.
func AskPassword(ctx context.Context, in *os.File, out io.Writer, prompt string) (string, error) {
	fd := int(in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("the terminal cannot be asked on: %w", err)
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	// What was typed before was shown, and is no answer.
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &quiet); err != nil {
		return "", fmt.Errorf("the terminal cannot be asked on: %w", err)
	}
	defer func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before)
		fmt.Fprintln(out)
	}()
	fmt.Fprint(out, prompt)
	if err := awaitInput(ctx, in); err != nil {
		return "", err
	}
	// Not term.ReadPassword, which takes no end of the input for an answer.
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		return "", ErrDeclined
	}
	return strings.TrimSuffix(line, "\n"), nil
}
