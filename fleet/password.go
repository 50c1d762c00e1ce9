package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unique"

	"github.com/nixflotilla/flotilla/sshpool"
)

// Password is what a remote user gives sudo. The zero value is none. No formatting
// and no encoding shows it. Equal passwords are equal by ==.
type Password struct {
	// A handle, since fmt shows the strings in unexported fields, and asks no String.
	text unique.Handle[string]
}

// NewPassword is a password of a text, which may not be empty, hold a line feed or a
// NUL byte, or be longer than the 1023 bytes that sudo takes (its SUDO_CONV_REPL_MAX).
func NewPassword(text string) (Password, error) {
	switch {
	case text == "":
		return Password{}, errors.New("the password is empty")
	case strings.ContainsAny(text, "\n\x00"):
		return Password{}, errors.New("the password is more than one line")
	case len(text) > 1023:
		return Password{}, errors.New("the password is longer than 1023 bytes")
	}
	return Password{unique.Make(text)}, nil
}

// String does not tell it.
func (Password) String() string { return "(a password)" }

// GoString does not tell it.
func (Password) GoString() string { return "(a password)" }

// ErrPasswordRefused says that sudo did not let the remote user become root with
// the password that was given.
var ErrPasswordRefused = errors.New("sudo did not take the password")

// refusedError is a sudo that ended before it ran anything.
type refusedError struct {
	exit *sshpool.ExitError
	// on is the host on which it was tried, if that is another one.
	on string
}

func (e *refusedError) Unwrap() []error { return []error{ErrPasswordRefused, e.exit} }

func (e *refusedError) Error() string {
	if e.on != "" {
		return fmt.Sprintf("the password was not tried, because %s did not take it", e.on)
	}
	lines := lastLines(e.exit.Stderr)
	if last := lines[len(lines)-1]; last != "" {
		return fmt.Sprintf("%v: %s", ErrPasswordRefused, last)
	}
	return fmt.Sprintf("%v: exit code %d", ErrPasswordRefused, e.exit.Code)
}

func (e *refusedError) Hint() string {
	if e.on != "" {
		return "each password is tried on one host first, so that a wrong one locks no account everywhere"
	}
	return "check it, and that the remote user may use sudo there; if hosts have different ones, give a file for each, with {host} in " + passwordFile
}

// passwordFile is where recipes read passwords.
const passwordFile = "FLOTILLA_BECOME_PASSWORD_FILE"

// noPasswordError says that sudo wants a password, and that there is none.
func noPasswordError(s Survey) *unfitError {
	e := noRootError(s)
	return &unfitError{e.text + ", and no password for sudo was given",
		"run it on a terminal, where it is asked for, or set " + passwordFile + " to a file that has it and that only you can read; " +
			`or let the user use sudo without one (security.sudo, NOPASSWD), or set user = "root"`}
}

// unfit says why a host cannot be deployed to, as Survey.unfit does, and tries out
// the password if becoming root takes one.
func (j *job) unfit(ctx context.Context, s surveyed) error {
	if err := s.survey.unfit(); err != nil {
		return err
	}
	return j.tryPassword(ctx, s)
}

// tryPassword does nothing on a host on which becoming root takes no password.
func (j *job) tryPassword(ctx context.Context, s surveyed) error {
	if s.survey.Root != RootSudoPassword {
		return nil
	}
	password, err := j.password(ctx, s.survey)
	if err != nil {
		return err
	}
	return j.fleet.tryPassword(ctx, j.host, s.conn, password)
}

func (f *Fleet) tryPassword(ctx context.Context, h Host, conn Remote, password Password) error {
	return f.passwords.try(ctx, h, password, func() error {
		ctx, cancel := context.WithTimeoutCause(ctx, f.patience, errNoAnswer)
		defer cancel()
		_, err := runWithPassword(ctx, conn.Run, password, nil, ":")
		return err
	})
}

// password is the one for the job's host; an error if there is none.
func (j *job) password(ctx context.Context, s Survey) (Password, error) {
	password, err := j.fleet.passwords.of(ctx, j.host)
	if err == nil && password == (Password{}) {
		err = noPasswordError(s)
	}
	return password, err
}
