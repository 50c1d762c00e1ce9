package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// Files are what Nix saw of the flake at some time: the files that Git tracks with
// their contents, and the commit; outside of Git, all files. They are not changed
// once they are made.
type Files struct {
	tree    *worktree.Tree
	touched string
}

// Files looks at what Nix sees of the flake in the inventory's directory, also if
// another state was opened. It is an error if that cannot be known; see
// docs/change-detection.md.
func (f *Fleet) Files(ctx context.Context) (*Files, error) {
	tree, err := worktree.Read(ctx, worktree.Options{Dir: f.Inventory.Dir, Cache: f.statCache()})
	if err != nil {
		var off *worktree.OffError
		if errors.As(err, &off) {
			return nil, errors.New("changes cannot be detected: " + oneLine(err))
		}
		return nil, err
	}
	touched, err := tree.Touched()
	return &Files{tree, touched}, err
}

// Len is how many files there are.
func (n *Files) Len() int { return len(n.tree.Entries) }

// Since are the paths of the files that differ from earlier ones, sorted and
// relative to the root of the repository; nil if only the commit does.
func (n *Files) Since(earlier *Files) []string {
	var paths []string
	for _, c := range worktree.Changes(earlier.tree, n.tree) {
		paths = append(paths, c.Path)
	}
	return paths
}

const (
	// lookEvery is how often files are looked at, and how long they must have been
	// left alone to be taken for complete: editors and Git write several in a row.
	lookEvery = 250 * time.Millisecond
	// lookShare bounds how much of the time is spent looking: one part in so many.
	lookShare = 20
)

// Next waits until the files are others, and until nobody has touched them for a
// moment, and returns them. Files that Git does not track do not count, and neither
// does what can be no state of the flake, as a merge that has conflicts. The error is
// that of ctx.
func (f *Fleet) Next(ctx context.Context, since *Files) (*Files, error) {
	known, seen := since.touched, since.touched
	for {
		began := time.Now()
		// What cannot be looked at is being changed, too.
		now, _ := since.tree.Touched()
		still := now == seen
		seen = now
		if still && now != known {
			files, err := f.Files(ctx)
			switch {
			case err != nil:
				known = now
			case files.tree.Fingerprint() != since.tree.Fingerprint():
				return files, nil
			default:
				known = now
			}
		}
		select {
		case <-time.After(max(lookEvery, lookShare*time.Since(began))):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Foretell says which system the flake wants for each host, by name, as far as that is
// known from earlier evaluations; nothing is evaluated. Hosts of which it is not known
// are left out.
func (f *Fleet) Foretell(ctx context.Context, hosts []Host) map[string]nixcmd.StorePath {
	s := f.recollect(ctx)
	defer s.finish()
	wanted := map[string]nixcmd.StorePath{}
	for _, h := range hosts {
		if known := s.ask(h); known.result != nil && !f.verify {
			wanted[h.Name] = nixcmd.StorePath(known.result.Toplevel)
		}
	}
	return wanted
}
