package ui

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// details are the lines below an error: those that help, or with verbose the
// command and all it printed.
func details(se *fleet.StepError, verbose bool) []string {
	if !verbose {
		return se.Details
	}
	var lines []string
	if len(se.Argv) > 0 {
		lines = append(lines, fmt.Sprintf("command: %s (exit code %d)", strings.Join(se.Argv, " "), se.ExitCode))
	}
	return append(append(lines, strings.Split(strings.TrimSpace(se.Stderr), "\n")...), se.Details...)
}
