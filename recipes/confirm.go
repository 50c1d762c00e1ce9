package recipes

import (
	"context"
	"fmt"
	"os"

	"github.com/nixflotilla/flotilla/internal/ui"
)

// about is a question that names the hosts in place of %s; with yes the answer
// was given beforehand.
func about(format string, yes bool) question {
	return func(ctx context.Context, s session) error {
		if agreed(yes) {
			return nil
		}
		return ui.Confirm(ctx, os.Stdin, os.Stderr, fmt.Sprintf(format, names(s.hosts)))
	}
}

// agreed reports whether the answer was given beforehand.
func agreed(yes bool) bool { return yes || os.Getenv("FLOTILLA_YES") == "1" }
