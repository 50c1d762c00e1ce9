package fleet

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// Verdict says whether a host was evaluated, and why.
type Verdict struct {
	// Avoided says that it was not: the answer is that of an earlier run.
	Avoided bool
	// Reason says why it was or was not, as "hosts/razer/audio.nix changed" or
	// "nothing it reads changed since 14:02"; empty if nothing is known of that.
	Reason string
}

// watcher is what a Nix must be besides for evaluations to be avoided:
// *nixcmd.Client is one. It is asked concurrently.
type watcher interface {
	// SettingsKey is the same as long as evaluations depend on the flake only.
	SettingsKey() (string, error)
}

// recollection is what earlier runs know of the tree that a run is about. The
// tree is looked at once, when the first host asks.
type recollection struct {
	fleet *Fleet
	// ctx is the run's: a host that is given up must not take this with it.
	ctx  context.Context
	stop context.CancelFunc

	look      sync.Once
	store     *readset.Store
	tree      *worktree.Tree
	settings  string
	off       string // why there is no tree
	untracked untracked
	likely    func() *readset.Result
	importers func() map[string]string

	touch   sync.Once
	touched worktree.Stamp
	stamped bool

	sources func() *nixcmd.InputSources

	// learning is held by what changes the store; background is what goes on
	// behind the hosts' backs.
	learning   sync.Mutex
	background sync.WaitGroup
	listing    sync.WaitGroup
	learnt     bool
}

func (f *Fleet) recollect(ctx context.Context) *recollection {
	s := &recollection{fleet: f, untracked: untracked{done: make(chan struct{})}}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.importers = sync.OnceValue(s.readImporters)
	s.sources = sync.OnceValue(s.openSources)
	s.likely = sync.OnceValue(s.readLikely)
	return s
}

// finish waits for what was learnt to be kept.
func (s *recollection) finish() {
	s.background.Wait()
	s.stop()
	s.listing.Wait()
	if s.learnt {
		s.store.Clean()
	}
}

// dir is where what is known of this fleet is kept, cache a file there for the
// hashes of the tree's files.
func (s *recollection) dir() string {
	return filepath.Join(s.fleet.stateDir, "evaluations", s.fleet.Inventory.id())
}

func (s *recollection) cache() string { return filepath.Join(s.dir(), "stat") }

// open looks at the tree and at Nix's settings, without starting Nix. It reports
// whether both are known.
func (s *recollection) open() bool {
	s.look.Do(func() {
		w, ok := s.fleet.nix.(watcher)
		if !ok || s.fleet.flake != "" { // which is not that of the directory
			close(s.untracked.done)
			return
		}
		flake := s.fleet.Inventory.Dir
		s.store = readset.Open(s.dir())
		s.listing.Go(func() { s.untracked.list(s.ctx, flake) })
		var err, settingsErr error
		var both sync.WaitGroup
		both.Go(func() {
			s.tree, err = worktree.Read(s.ctx, worktree.Options{Dir: flake, Cache: s.cache()})
		})
		both.Go(func() { s.settings, settingsErr = w.SettingsKey() })
		both.Wait()
		if err = errors.Join(settingsErr, err); err != nil {
			var missing *nixcmd.NotInstalledError
			if !errors.As(err, &missing) { // which the evaluation says better
				s.off = "changes cannot be detected: " + oneLine(err)
			}
			s.tree = nil
		}
	})
	return s.tree != nil
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// stamp marks the state of the tree before the first evaluation.
func (s *recollection) stamp() {
	s.touch.Do(func() {
		var err error
		s.touched, err = s.tree.Stamp()
		s.stamped = err == nil
	})
}

// recalled is what is known of one host.
type recalled struct {
	result *readset.Result // that holds for the tree; nil for none
	why    string
	reads  *readset.Result // the newest that says what it read; nil for none
}

// recall finds out whether the host must be evaluated.
func (j *job) recall() recalled {
	s := j.seen
	j.looked = true
	if !s.open() {
		return recalled{why: s.off}
	}
	known := s.recall(j.host, j.fleet.fresh)
	j.reads = known.reads
	if known.result == nil || j.fleet.verify {
		s.stamp()
	}
	return known
}

// key is what results must agree on besides the tree.
func (s *recollection) key(h Host) string { return s.settings + " " + h.Attr }

func (s *recollection) recall(h Host, fresh bool) recalled {
	if fresh {
		return recalled{why: "a fresh evaluation was asked for"}
	}
	results := s.store.Load(h.Name)
	why := "it was not evaluated before"
	if len(results) > 0 {
		why = "it was not evaluated with this Nix before"
	}
	var reads *readset.Result
	if i := slices.IndexFunc(results, func(r *readset.Result) bool { return r.Hidden == "" }); i >= 0 {
		reads = results[i]
	}
	fingerprint := s.tree.Fingerprint()
	found := false
	for _, r := range results {
		if r.Settings != s.key(h) {
			continue
		}
		if r.Holds(fingerprint) {
			s.confirm(h, r)
			return recalled{r, "nothing it reads changed since " + clock(r.At), reads}
		}
		if r.Shape != s.tree.Shape() && found {
			continue
		}
		for _, tree := range r.Trees() {
			from := s.store.Tree(tree)
			if from == nil {
				if !found {
					why = "what it was evaluated from is not kept any more"
				}
				continue
			}
			reason := readset.Predict(readset.Question{Base: r, From: from, To: s.tree, Imported: s.importedByOthers(h)})
			if reason == "" {
				s.confirm(h, r)
				return recalled{r, "nothing it reads changed since " + clock(r.At), reads}
			}
			if !found {
				found, why = true, reason
			}
		}
	}
	return recalled{why: why, reads: reads}
}

// importedByOthers reports which files other hosts import, by their results of
// earlier runs.
func (s *recollection) importedByOthers(h Host) func(string) bool {
	return func(path string) bool {
		by := s.importers()[path]
		return by != "" && by != h.Name
	}
}

// openSources prepares to find out what derivations are made of, and which of
// them name the place of the source tree; its Text is empty if that is not known.
func (s *recollection) openSources() *nixcmd.InputSources {
	in := &nixcmd.InputSources{}
	if p, err := s.tree.StorePath(s.ctx); err == nil {
		in.Text = nixcmd.StorePath(p).Hash()
	}
	return in
}

// several stands for more than one host; no host has that name.
const several = "*"

// readImporters maps files of the flake to the host that imports them.
func (s *recollection) readImporters() map[string]string {
	by := map[string]string{}
	for _, host := range s.store.Hosts() {
		for _, r := range s.store.Load(host) {
			for f := range r.Imports {
				if by[f] == "" || by[f] == host {
					by[f] = host
				} else {
					by[f] = several
				}
			}
		}
	}
	return by
}

// confirm notes that a result holds for the tree of this run, and makes it the
// newest.
func (s *recollection) confirm(h Host, r *readset.Result) {
	tree, same := r.Tree, s.tree.Fingerprint()
	s.background.Go(func() {
		s.learning.Lock()
		defer s.learning.Unlock()
		results := s.store.Load(h.Name)
		i := slices.IndexFunc(results, func(r *readset.Result) bool { return r.Tree == tree && r.Settings == s.key(h) })
		if i < 0 || i == 0 && results[i].Holds(same) {
			return
		}
		r := results[i]
		if !r.Holds(same) {
			if s.store.KeepTree(s.tree) != nil {
				return
			}
			r.Same = append(r.Same, same)
		}
		_ = s.store.Save(h.Name, slices.Concat([]*readset.Result{r}, results[:i], results[i+1:])) // no loss but time
	})
}

// clock is a time of day, with the day if that is another.
func clock(t time.Time) string {
	t = t.Local()
	if now := time.Now(); now.YearDay() == t.YearDay() && now.Year() == t.Year() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}
