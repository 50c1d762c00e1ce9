package ui

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrDeclined says that a person was asked and did not agree.
var ErrDeclined = errors.New("not confirmed: nothing was done")

// Confirm asks a yes-or-no question and returns nil for yes. Anything else, and
// the end of the input, is ErrDeclined. Where there is no terminal to ask on it
// returns an error that says how to agree beforehand.
func Confirm(in *os.File, out io.Writer, question string) error {
	if !term.IsTerminal(int(in.Fd())) {
		return fmt.Errorf("%s There is no terminal to ask on; agree with -yes or FLOTILLA_YES=1", question)
	}
	fmt.Fprintf(out, "%s [y/N] ", question)
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
