package lab

import (
	"errors"
	"strings"
)

// ErrNotRunning is what errors of a lab that is not up satisfy.
var ErrNotRunning = errors.New("the lab is not running")

// Error says what could not be done in a lab.
type Error struct {
	// Op is what was attempted, e.g. "boot".
	Op string
	// Machine is the machine concerned; empty if it is the whole lab.
	Machine string
	// Err is the cause; never nil.
	Err error
	// Fix says what to do about it; may be empty.
	Fix string
}

// Error is one line: what was attempted, where, and why it failed.
func (e *Error) Error() string {
	parts := []string{"lab", e.Op}
	if e.Machine != "" {
		parts = append(parts, e.Machine)
	}
	return strings.Join(parts, ": ") + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it; it may be empty.
func (e *Error) Hint() string { return e.Fix }

// fail wraps a cause that is not yet an *Error.
func fail(op, machine string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Machine: machine, Err: err}
}
