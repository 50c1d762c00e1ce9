package proc

import (
	"context"
	"errors"
)

// Ended is the cause of a context that has ended, as Because makes it; nil if it has not.
func Ended(ctx context.Context) error { return Because(ctx, context.Cause(ctx)) }

// Because makes the cause of an ended context recognisable as the context's own error
// too, context.Canceled or context.DeadlineExceeded. It reads as the cause alone.
func Because(ctx context.Context, cause error) error {
	if ctx.Err() == nil || errors.Is(cause, ctx.Err()) {
		return cause
	}
	return &causeError{cause, ctx.Err()}
}

type causeError struct{ cause, context error }

func (e *causeError) Error() string   { return e.cause.Error() }
func (e *causeError) Unwrap() []error { return []error{e.cause, e.context} }
