package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
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

// Unseen remembers which files were warned of since the flake does not see them. Fleets
// that share one warn of each once. The zero value is ready.
type Unseen struct {
	mu   sync.Mutex
	told map[string]bool
}

// news are those of the files that are to be warned of, which they are with that; nil
// is for whoever remembers none.
func (u *Unseen) news(files []string) []string {
	if u == nil {
		return files
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var list []string
	for _, name := range files {
		if u.told == nil {
			u.told = map[string]bool{}
		}
		if !u.told[name] {
			u.told[name] = true
			list = append(list, name)
		}
	}
	return list
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

func unseenText(files []string) string {
	what := strings.Join(files, " and ")
	if len(files) > 2 {
		what = fmt.Sprintf("%s and %d more files", files[0], len(files)-1)
	}
	return "the flake does not see " + what + ", which Git does not track (git add)"
}

// unseenEvery is how often NextUnseen looks. An editor's file that is to take another's
// place is there for less.
const unseenEvery = time.Second

// NextUnseen waits until there are files that the flake does not see and would, and that
// Config.Unseen does not know of, and returns the warning. That is for whoever waits for
// Next, to which such files are nothing: runs warn by themselves. The error is that of ctx.
func (f *Fleet) NextUnseen(ctx context.Context) (warning string, err error) {
	var before, judged []string
	for {
		began := time.Now()
		u := untracked{done: make(chan struct{})}
		u.list(ctx, f.Inventory.Dir)
		if slices.Equal(u.files, before) && !slices.Equal(u.files, judged) {
			judged = u.files
			if files := f.unseen.news(f.near(&u)); len(files) > 0 {
				return unseenText(files), nil
			}
		}
		before = u.files
		select {
		case <-time.After(max(unseenEvery, lookShare*time.Since(began))):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// near are those of the files that concern any host, as far as that is known from
// earlier runs.
func (f *Fleet) near(u *untracked) (files []string) {
	hosts := sync.OnceValue(func() (all []*readset.Result) {
		store := readset.Open(f.evaluations())
		for _, h := range store.Hosts() {
			results := store.Load(h)
			if i := slices.IndexFunc(results, func(r *readset.Result) bool { return r.Hidden == "" }); i >= 0 {
				all = append(all, results[i])
			}
		}
		return all
	})
	for _, name := range u.files {
		if u.isNix(name) || slices.ContainsFunc(hosts(), func(r *readset.Result) bool { return r.Near(name, u.flake) }) {
			files = append(files, name)
		}
	}
	return files
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
