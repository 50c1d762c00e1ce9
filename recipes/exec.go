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

// Exec runs the shell command line CMD on the hosts of SELECTOR, all at once: exec @server 'uptime'
//
// Options: -json. It runs as the remote user, in `sh -c` there, with an empty
// standard input; write sudo -n into it where it needs root. Its output is the
// answer, each line with its host in front; the table goes to standard error.
// Ctrl-C stops waiting: what runs on a host gets no signal.
func Exec(ctx context.Context, selector, cmd string, json *bool) error {
	asJSON(json)
	if strings.Trim(cmd, "- \t\n") == "" { // as where "--" was to part it from the options
		return failure(errors.New("no command given: it is one argument, such as 'systemctl --failed'"))
	}
	return showing(ctx, selector, nil, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Exec(ctx, s.hosts, cmd)
	}, nil, manner{face: execFace, interrupted: "no longer waiting; where the command has begun it gets no signal, and goes on until it ends or next writes"})
}

// execFace is a face for a command's output.
func execFace(out io.Writer, hosts []fleet.Host) ui.Face {
	if forPrograms() {
		return ui.NewJSON(out)
	}
	return ui.NewExec(guarded(out), guarded(os.Stderr), hosts, mg.Verbose())
}
