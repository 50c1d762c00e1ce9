package fleet

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
)

// untracked are the files that Git neither tracks nor ignores, which the flake does
// not see. Each is told of once.
type untracked struct {
	done  chan struct{} // closed once files is set, or nothing is going to be
	flake string        // its directory in the repository

	mu    sync.Mutex
	files []string
}

// list finds them.
func (u *untracked) list(ctx context.Context, dir string) {
	defer close(u.done)
	files, flake, err := worktree.Untracked(ctx, dir)
	if err != nil {
		return // an evaluation says it better
	}
	u.files = slices.DeleteFunc(files, leftovers.MatchString)
	u.flake = flake
}

// leftovers are what editors keep beside a file.
var leftovers = regexp.MustCompile(`(^|/)(\.#[^/]*|#[^/]*#|\.[^/]*\.sw[a-p]|[^/]*~)$`)

// warnOfUntracked says which files a host's flake does not see and would, as far as
// no other host of the run has said it: Nix files in the flake's directory, and what
// is where the host reads. If that is not known, it is where there are Nix files.
func (s *recollection) warnOfUntracked(j *job) {
	if !j.looked {
		return
	}
	u := &s.untracked
	<-u.done
	u.mu.Lock()
	defer u.mu.Unlock()
	var tell []string
	u.files = slices.DeleteFunc(u.files, func(name string) bool {
		near := strings.HasSuffix(name, ".nix") && (u.flake == "" || strings.HasPrefix(name, u.flake+"/"))
		if r := j.reads; !near {
			if r == nil {
				r = s.likely()
			}
			near = r.Near(name, u.flake)
		}
		if near {
			tell = append(tell, name)
		}
		return near
	})
	if len(tell) == 0 {
		return
	}
	what := strings.Join(tell, " and ")
	if len(tell) > 2 {
		what = fmt.Sprintf("%s and %d more files", tell[0], len(tell)-1)
	}
	j.warn(StepEvaluate, "the flake does not see "+what+", which Git does not track (git add)")
}

// readLikely stands for what a host reads that is not known: all of the tree's
// Nix files.
func (s *recollection) readLikely() *readset.Result {
	r := &readset.Result{Imports: map[string]readset.Facts{}}
	if s.tree == nil {
		return r
	}
	for _, e := range s.tree.Entries {
		if strings.HasSuffix(e.Path, ".nix") {
			r.Imports[e.Path] = readset.Facts{}
		}
	}
	return r
}
