package recipes

import (
	"context"
	"fmt"
	"io"

	"github.com/nixflotilla/flotilla/fleet"
)

// BuildAllParallel builds all hosts' systems at once, keeps them and prints HOST PATH lines
//
// Options: -on=SELECTOR, -fresh, -json.
// What was built is kept from the garbage collector until the host's next
// build. The table goes to standard error.
func BuildAllParallel(ctx context.Context, on *string, fresh, json *bool) error {
	asJSON(json)
	anew(fresh)
	return answering(ctx, text(on, everyone), nil, test(fleet.TestOptions{}), builtPaths)
}

// builtPaths writes the systems that were built, for scripts.
func builtPaths(w io.Writer, r *fleet.Report) {
	for _, res := range r.Results {
		if res.Outcome == fleet.Built {
			fmt.Fprintln(w, res.Host.Name, res.Wanted)
		}
	}
}
