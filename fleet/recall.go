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

// recollection is what earlier runs know of a tree that a run is about. The
// tree is looked at once, when the first host asks.
type recollection struct {
	fleet *Fleet
	// flake is the flake as Nix finds it, "" for that of the directory; commit is the
	// commit that it is of, "" if that is not known.
	flake, commit string
	// ctx is the run's: a host that is given up must not take this with it.
	ctx  context.Context
	stop context.CancelFunc

	// kept and learning are shared by the recollections of a run: what is in the
	// store, and who changes it.
	kept     func() *readset.Store
	learning *learning
	// other is that of another state of the flake; nil for none.
	other *recollection

	look      sync.Once
	store     *readset.Store
	tree      *worktree.Tree
	settings  string
	off       string // why there is no tree
	untracked untracked
	likely    func() *readset.Result
	importers func() map[string]string
	// differences counts what differs from other trees, by their fingerprints.
	differences sync.Map

	parties parties

	touch   sync.Once
	touched worktree.Stamp
	stamped bool

	sources func() *sources

	// background is what goes on behind the hosts' backs.
	background sync.WaitGroup
	listing    sync.WaitGroup
	learnt     bool
}

// learning is held by whoever changes what is in the store.
type learning struct {
	sync.Mutex
	lost error // why something could not be kept; nil if all was
}

func (f *Fleet) recollect(ctx context.Context) *recollection {
	s := &recollection{fleet: f, flake: f.flake, commit: f.commit, learning: &learning{}}
	s.kept = sync.OnceValue(func() *readset.Store { return readset.Open(f.evaluations()) })
	return s.begin(ctx)
}

// beside is that of another state of the flake, within the same run; it ends with
// this one.
func (s *recollection) beside(flake, commit string) *recollection {
	o := &recollection{fleet: s.fleet, flake: flake, commit: commit, learning: s.learning, kept: s.kept}
	s.other = o.begin(s.ctx)
	return s.other
}

func (s *recollection) begin(ctx context.Context) *recollection {
	s.untracked.done = make(chan struct{})
	s.ctx, s.stop = context.WithCancel(ctx)
	s.importers = sync.OnceValue(s.readImporters)
	s.sources = sync.OnceValue(s.openSources)
	s.likely = sync.OnceValue(s.readLikely)
	return s
}

// finish waits for what was learnt to be kept.
func (s *recollection) finish() {
	if s.other != nil {
		s.other.finish()
	}
	s.background.Wait()
	s.stop()
	s.listing.Wait()
	if s.learnt {
		s.store.Clean()
	}
}

// evaluations is where what is known of this fleet is kept, statCache a file there
// for the hashes of the tree's files.
func (f *Fleet) evaluations() string {
	return filepath.Join(f.stateDir, "evaluations", f.Inventory.id())
}

func (f *Fleet) statCache() string { return filepath.Join(f.evaluations(), "stat") }

// open looks at the tree and at Nix's settings, without starting Nix. It reports
// whether both are known.
func (s *recollection) open() bool {
	s.look.Do(func() {
		w, ok := s.fleet.nix.(watcher)
		if !ok || s.flake != "" && s.commit == "" {
			close(s.untracked.done)
			return
		}
		s.store = s.kept()
		if s.commit == "" {
			s.listing.Go(func() { s.untracked.list(s.ctx, s.fleet.Inventory.Dir) })
		} else { // to which nothing can be added
			close(s.untracked.done)
		}
		var err, settingsErr error
		var both sync.WaitGroup
		both.Go(func() { s.tree, err = s.snapshot() })
		both.Go(func() { s.settings, settingsErr = w.SettingsKey() })
		both.Wait()
		if err = errors.Join(settingsErr, err); err != nil {
			var missing *nixcmd.NotInstalledError
			if !errors.As(err, &missing) { // which the evaluation says better
				s.off = "changes cannot be detected: " + oneLine(err)
			}
			s.tree = nil
		}
		s.gather()
	})
	return s.tree != nil
}

// snapshot looks at the tree.
func (s *recollection) snapshot() (*worktree.Tree, error) {
	cache := s.fleet.statCache()
	if s.commit == "" {
		tree, err := worktree.Read(s.ctx, worktree.Options{Dir: s.fleet.Inventory.Dir, Cache: cache})
		if err == nil && tree.Doubt != "" {
			err = &worktree.OffError{Reason: tree.Doubt}
		}
		return tree, err
	}
	tree, err := worktree.ReadCommit(s.ctx, s.fleet.Inventory.Dir, s.commit)
	if err == nil && worktree.Mistaken(cache, s.commit) {
		err = &worktree.OffError{Reason: worktree.DoubtOfCommit}
	}
	return tree, err
}

// revision is what is known of the tree's revision, once no host asks any more.
func (s *recollection) revision() *Revision {
	if s.tree == nil || !s.tree.Git {
		return nil
	}
	commit, _, _ := strings.Cut(s.tree.Head, " ")
	return &Revision{Commit: commit, Dirty: s.tree.Dirty}
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

// evaluating is why the host is evaluated: if the answer was known, to hold it to that.
func (k recalled) evaluating() string {
	if k.result != nil {
		return "to verify that " + k.why
	}
	return k.why
}

// recall finds out whether the host must be evaluated.
func (j *job) recall() recalled {
	j.looked = true
	known := j.seen.ask(j.host)
	j.reads = known.reads
	return known
}

// ask finds out whether a host must be evaluated, and prepares to learn from it
// if so.
func (s *recollection) ask(h Host) recalled {
	if !s.open() {
		return recalled{why: s.off}
	}
	// What is to be verified must be foretold.
	known := s.recall(h, s.fleet.fresh && !s.fleet.verify)
	if known.result == nil || s.fleet.verify {
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
	reads := readset.Known(results)
	fingerprint := s.tree.Fingerprint()
	found := false
	alike, fewest := false, 0 // of the tree that the reason is about
	for _, r := range results {
		if r.Settings != s.key(h) {
			continue
		}
		if r.HoldsFor(s.tree) {
			s.confirm(h, r, fingerprint)
			return recalled{r, "nothing it reads changed since " + clock(r.At), reads}
		}
		same := r.Shape == s.tree.Shape()
		if !same && alike {
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
			if !same && found && s.changes(from) >= fewest {
				continue
			}
			reason := readset.Predict(readset.Question{Base: r, From: from, To: s.tree, Imported: s.importedByOthers(h)})
			if reason == "" {
				s.confirm(h, r, tree)
				return recalled{r, "nothing it reads changed since " + clock(r.At), reads}
			}
			// The newest may be of another branch, of which affected has asked.
			changes := s.changes(from)
			if !found || same && !alike || same == alike && changes < fewest {
				found, alike, fewest, why = true, same, changes, reason
			}
		}
	}
	return recalled{why: why, reads: reads}
}

// changes counts what differs from another tree, which many hosts may have been
// evaluated from.
func (s *recollection) changes(from *worktree.Tree) int {
	count, _ := s.differences.LoadOrStore(from.Fingerprint(), sync.OnceValue(func() int { return len(worktree.Changes(from, s.tree)) }))
	return count.(func() int)()
}

// importedByOthers reports which files other hosts import, by their results of
// earlier runs.
func (s *recollection) importedByOthers(h Host) func(string) bool {
	return func(path string) bool {
		by := s.importers()[path]
		return by != "" && by != h.Name
	}
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
// newest. The tree that showed it is the last but one to be forgotten: what has been
// earned may be for steps from that one only.
func (s *recollection) confirm(h Host, r *readset.Result, by string) {
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
			if i := slices.Index(r.Same, by); i >= 0 {
				r.Same = append(slices.Delete(r.Same, i, i+1), by)
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
