package recipes

import (
	"context"
	"fmt"
	"io"

	"github.com/nixflotilla/flotilla/fleet"
)

// BuildAllParallel builds all hosts' systems at once, keeps them and prints HOST PATH lines
//
// Options: -on=SELECTOR, -json, -fresh.
// What was built is kept from the garbage collector until the host's next
// build, and pushed to the fleet's cache if [cache] in fleet.toml says where to. A path
// that is in another host's store is followed by "on" and its name. The table goes to standard error.
func BuildAllParallel(ctx context.Context, on *string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	return answering(ctx, text(on, everyone), nil, test("buildAllParallel", fleet.TestOptions{Push: true}), builtPaths)
}

// builtPaths writes the systems that were built, for scripts.
func builtPaths(w io.Writer, r *fleet.Report) {
	for _, res := range r.Results {
		switch {
		case res.Outcome != fleet.Built:
		case res.BuiltOn == "":
			fmt.Fprintln(w, res.Host.Name, res.Wanted)
		default:
			fmt.Fprintln(w, res.Host.Name, res.Wanted, "on", res.BuiltOn)
		}
	}
}
