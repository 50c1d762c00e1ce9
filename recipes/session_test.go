package recipes

import (
	"errors"
	"fmt"
	"testing"
)

// Several errors have a line each, but none loses what was said around it.
func TestFailure(t *testing.T) {
	full, closed := errors.New("no space left"), errors.New("already closed")
	for _, c := range []struct {
		err  error
		want string
	}{
		{full, "no space left"},
		{errors.Join(full, closed), "no space left\n       already closed"},
		{fmt.Errorf("-out=x cannot be written: %w", errors.Join(full)), "-out=x cannot be written: no space left"},
		{fmt.Errorf("%w: %w", full, closed), "no space left: already closed"},
		{errors.Join(fmt.Errorf("x: %w", errors.Join(full)), closed), "x: no space left\n       already closed"},
	} {
		if got := failure(c.err).Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
