package fleet

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"strings"

	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/sudo.sh
var sudoScript string

// rootMark comes before all that a script prints that runs by a sudo with a
// password; what comes before it is sudo's or PAM's.
const rootMark = "flotilla-root 1"

// sessionFunc is one of the methods of Remote that run a command.
type sessionFunc func(context.Context, sshpool.Cmd) (sshpool.Result, error)

// asRoot runs a script as root on the job's host. Each receives the lines that it
// prints; nil means nobody looks.
func (j *job) asRoot(ctx context.Context, run sessionFunc, s Survey, each func(string), script string, args ...string) (sshpool.Result, error) {
	if s.Root != RootSudoPassword {
		cmd := s.Root.script(script, args...)
		cmd.Stdout = each
		return run(ctx, cmd)
	}
	password, err := j.password(ctx, s)
	if err != nil {
		return sshpool.Result{}, err
	}
	return runWithPassword(ctx, run, password, each, script, args...)
}

// runWithPassword runs a script as root by a sudo that wants a password. A sudo that
// does not run it gives a *refusedError. Password and script go over standard input:
// arguments can be seen by all users of the host.
func runWithPassword(ctx context.Context, run sessionFunc, p Password, each func(string), script string, args ...string) (sshpool.Result, error) {
	began := false
	res, err := run(ctx, sshpool.Cmd{
		Argv:  append([]string{"sh", "-c", sudoScript, "sh"}, args...),
		Stdin: strings.NewReader(p.text.Value() + "\n" + whole(script)),
		Stdout: func(line string) {
			if began && each != nil {
				each(line)
			}
			began = began || line == rootMark
		},
	})
	_, res.Stdout, _ = bytes.Cut(res.Stdout, []byte("\n"+rootMark+"\n"))
	var exit *sshpool.ExitError
	if errors.As(err, &exit) && !began {
		err = &refusedError{exit: exit}
	}
	return res, err
}
