package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
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

// absent is what Nix says of a file that the flake does not have.
var absent = regexp.MustCompile(`^[Pp]ath '([^']+)' (?:does not exist|in the repository)`)

// explainAbsent says why a file is on the disk and not in the flake, if it is in a
// submodule: of that neither Nix nor warnOfUntracked speaks.
func (s *recollection) explainAbsent(err error) error {
	var failed *nixcmd.EvalError
	if s.tree == nil || !s.tree.Git || !errors.As(err, &failed) {
		return err
	}
	m := absent.FindStringSubmatch(failed.Message)
	if m == nil || !filepath.IsLocal(m[1]) {
		return err
	}
	is := func(name string) bool {
		_, err := os.Lstat(filepath.Join(s.tree.Root, name))
		return err == nil
	}
	if !is(m[1]) {
		return err
	}
	for dir := path.Dir(m[1]); dir != "."; dir = path.Dir(dir) {
		if _, seen := s.tree.Find(dir); is(dir+"/.git") && !seen {
			return &hintedError{err, dir + " is a repository of its own, which the flake does not see: if it is a submodule, inputs.self.submodules = true in flake.nix changes that (Nix 2.27)"}
		}
	}
	return err
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
