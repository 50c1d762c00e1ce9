package recipes

import (
	"context"
	"fmt"
	"os"

	"github.com/nixflotilla/flotilla/internal/ui"
)

// about is a question that names the hosts in place of %s; with yes the answer
// was given beforehand, and with dry there is nothing to ask.
func about(format string, yes, dry *bool) question {
	return func(ctx context.Context, s session) error {
		if is(dry) || agreed(yes) {
			return nil
		}
		return ui.Confirm(ctx, os.Stdin, os.Stderr, fmt.Sprintf(format, names(s.hosts)))
	}
}

// agreed reports whether the answer was given beforehand.
func agreed(yes *bool) bool { return is(yes) || os.Getenv("FLOTILLA_YES") == "1" }
