package proc

import (
	"context"
	"errors"
	"testing"
)

// What a context's end did to a call is told once, by its cause.
func TestEndOfAContextIsToldOnce(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if err := Ended(ctx); err.Error() != "interrupted" || !errors.Is(err, context.Canceled) || !errors.Is(err, context.Cause(ctx)) {
		t.Error(err)
	}
}
