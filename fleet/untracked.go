package fleet

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
)

// untracked are the files that Git neither tracks nor ignores, which the flake does
// not see.
type untracked struct {
	done  chan struct{} // closed once files is set, or nothing is going to be
	flake string        // its directory in the repository
	files []string

	mu      sync.Mutex
	readers []onlooker // the run's hosts, as far as their evaluation looked at the tree
}

// onlooker is a host, and what is known of what it reads; nil if nothing is.
type onlooker struct {
	host  string
	reads *readset.Result
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

// noteReader takes note of what a host reads, for warnOfUntracked.
func (s *recollection) noteReader(j *job) {
	if !j.looked {
		return
	}
	u := &s.untracked
	u.mu.Lock()
	defer u.mu.Unlock()
	u.readers = append(u.readers, onlooker{j.host.Name, j.reads})
}

// warnOfUntracked says which files the flake does not see, and would: Nix files in the
// flake's directory, and what is where hosts of the run read. It is said of a host if it
// alone reads from there, as far as the run's are known.
func (s *recollection) warnOfUntracked() {
	u := &s.untracked
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.readers) == 0 {
		return
	}
	<-u.done
	of := map[string][]string{}
	for _, name := range u.files {
		if host, near := s.whose(name); near {
			of[host] = append(of[host], name)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(of)) {
		if files := s.fleet.unseen.news(of[host]); len(files) > 0 {
			s.fleet.emit(Event{Time: time.Now(), Host: host, Step: StepEvaluate, Kind: KindWarning, Text: unseenText(files)})
		}
	}
}

// whose is the only host of the run that reads from a file's directory, "" if that is not
// known or there are several, and whether the file concerns any.
func (s *recollection) whose(name string) (host string, near bool) {
	u := &s.untracked
	near = u.isNix(name)
	var beside []string
	certain := true
	for _, r := range u.readers {
		switch {
		case r.reads == nil:
			if s.likely().Near(name, u.flake) {
				near, certain = true, false
			}
		case r.reads.Beside(name, u.flake):
			near, beside = true, append(beside, r.host)
		case r.reads.Near(name, u.flake):
			near = true
		}
	}
	if certain && len(beside) == 1 {
		host = beside[0]
	}
	return host, near
}

// isNix reports whether a file is one that a flake has.
func (u *untracked) isNix(name string) bool {
	return strings.HasSuffix(name, ".nix") && (u.flake == "" || strings.HasPrefix(name, u.flake+"/"))
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
