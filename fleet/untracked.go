package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
)

// listUntracked finds the files that the flake would read and does not see; looked
// is closed once the tree is known, or why it is not.
func (s *recollection) listUntracked(flake string, looked <-chan struct{}) {
	defer close(s.untracked)
	files, dir, err := worktree.Untracked(s.ctx, flake)
	<-looked
	if err != nil {
		return // an evaluation says it better
	}
	if files = s.unseen(files, dir); len(files) > 0 {
		s.untracked <- files
	}
}

// warnOfUntracked tells one host of the run which files its flake does not see.
func (s *recollection) warnOfUntracked(j *job) {
	if !j.looked {
		return
	}
	files, ok := <-s.untracked
	if !ok {
		return
	}
	what := strings.Join(files, " and ")
	if len(files) > 2 {
		what = fmt.Sprintf("%s and %d more files", files[0], len(files)-1)
	}
	j.warn(StepEvaluate, "the flake does not see "+what+", which Git does not track (git add)")
}

// leftovers are what editors keep beside a file.
var leftovers = regexp.MustCompile(`(^|/)(\.#[^/]*|#[^/]*#|\.[^/]*\.sw[a-p]|[^/]*~)$`)

// unseen are those of the untracked files that matter: Nix files in the flake's
// directory, and what is where hosts read from. Of which host is known what it
// read, that is what counts; else where there are Nix files in the tree.
func (s *recollection) unseen(files []string, flake string) []string {
	var known []*readset.Result
	for _, host := range s.store.Hosts() {
		for _, r := range s.store.Load(host) {
			if r.Hidden == "" {
				known = append(known, r)
				break
			}
		}
	}
	if known == nil && s.tree != nil {
		r := &readset.Result{Imports: map[string]readset.Facts{}}
		for _, e := range s.tree.Entries {
			if strings.HasSuffix(e.Path, ".nix") {
				r.Imports[e.Path] = readset.Facts{}
			}
		}
		known = append(known, r)
	}
	return slices.DeleteFunc(files, func(name string) bool {
		nix := strings.HasSuffix(name, ".nix") && (flake == "" || strings.HasPrefix(name, flake+"/"))
		return leftovers.MatchString(name) || !nix && !slices.ContainsFunc(known, func(r *readset.Result) bool { return r.Near(name, flake) })
	})
}
