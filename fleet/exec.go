package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/sshpool"
)

// Exec runs a shell command line on each host, as the remote user, with an empty
// standard input, and tells each line that it prints as an event. The line is an
// argument of the host's `sh -c`: it is run as it is written, and nothing but it
// is.
//
// A host on which it exits with 0 has Ran; on the others it Failed, and
// StepError.ExitCode says how. When ctx is done it is no longer waited for:
// OpenSSH forwards no signal, so that on the host it goes on until it ends or
// cannot write its output any more. An empty line is an error for every host.
func (f *Fleet) Exec(ctx context.Context, hosts []Host, line string) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		err := j.step(ctx, StepExec, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
			if strings.TrimSpace(line) == "" {
				return "", errNoCommand
			}
			conn, err := j.connect(ctx, func(ctx context.Context, r Remote) error {
				_, err := r.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
				return err
			})
			if err != nil {
				return "", err
			}
			_, err = conn.Run(ctx, sshpool.Cmd{
				Argv:   []string{"sh", "-c", line},
				Stdout: func(text string) { j.emit(Event{Step: StepExec, Kind: KindLog, Text: text}) },
				Stderr: func(text string) { j.emit(Event{Step: StepExec, Kind: KindLog, Text: text, Stderr: true}) },
			})
			return "exit code 0", explainExec(err)
		})
		if err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Reason = "exit code 0" })
		return Ran, nil
	})
}

var errNoCommand = errors.New("no command given")

// ErrCommandFailed says that a command of Exec ran and did not exit with 0.
var ErrCommandFailed = errors.New("the command did not exit with 0")

// execError is a command that ran and did not exit with 0. What it printed was
// shown as it came.
type execError struct{ exit *sshpool.ExitError }

func (e *execError) Unwrap() []error { return []error{ErrCommandFailed, e.exit} }
func (e *execError) Error() string {
	if e.exit.Code < 0 {
		return "ended by a signal"
	}
	return fmt.Sprintf("exit code %d", e.exit.Code)
}

func explainExec(err error) error {
	var exit *sshpool.ExitError
	if errors.As(err, &exit) {
		return &execError{exit}
	}
	return err
}
