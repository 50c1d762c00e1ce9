package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// learnt is what earlier runs have taught of one host: how long its steps take
// when there is something to do, and how much memory its evaluation.
type learnt struct {
	Version int `json:"version"`
	// Steps are seconds of wall time, the latest last.
	Steps map[Step][]float64 `json:"steps,omitempty"`
	// Memory is the peak of the latest evaluation in bytes, 0 if not known.
	Memory int64 `json:"memory,omitempty"`
	// Root is how scripts became root there last, "" if not known.
	Root Root `json:"root,omitempty"`
	// Roomy says that its heap was larger than Nix would have made it.
	Roomy bool `json:"roomy,omitempty"`
}

const (
	learntVersion = 1
	// learntRuns is how many runs of a step are kept.
	learntRuns = 5
	// learntMost is the largest file that is read; what is written has a tenth.
	learntMost = 16 << 10
	learntEnds = ".json"
)

// usual is how long a step takes: the median of what is known, 0 if nothing is.
func (l learnt) usual(s Step) time.Duration {
	times := slices.Sorted(slices.Values(l.Steps[s]))
	if len(times) == 0 {
		return 0
	}
	return time.Duration(times[len(times)/2] * float64(time.Second))
}

// add takes in what a run has taught.
func (l *learnt) add(fresh learnt) {
	steps := make(map[Step][]float64, len(l.Steps)) // the old one may be read by others
	for s, times := range l.Steps {
		steps[s] = times
	}
	for s, times := range fresh.Steps {
		all := slices.Concat(steps[s], times)
		steps[s] = all[max(0, len(all)-learntRuns):]
	}
	l.Version, l.Steps = learntVersion, steps
	if fresh.Memory > 0 {
		l.Memory, l.Roomy = fresh.Memory, fresh.Roomy
	}
	l.Root = or(fresh.Root, l.Root)
}

// valid reports whether it could have been written by add.
func (l learnt) valid() bool {
	if l.Version != learntVersion || l.Memory < 0 || l.Memory > 1<<50 {
		return false
	}
	for _, times := range l.Steps {
		if len(times) > learntRuns || slices.ContainsFunc(times, func(s float64) bool { return s < 0 || s > 1e6 }) {
			return false
		}
	}
	return true
}

// history keeps what was learnt in a directory, a file for each host. Several
// runs may use it at once: a file is replaced as a whole, and of two that learn of
// one host at the same moment the later one is believed. It may be deleted at any
// time. It is not for anything that must be right.
type history struct {
	// dir is where; "" means that nothing is known nor kept.
	dir string

	mu    sync.Mutex
	known map[string]learnt
	// mute says that it was told that nothing can be kept.
	mute bool
}

func (h *history) file(name string) string { return filepath.Join(h.dir, name+learntEnds) }

// of is what is known of a host, and a word if there is something to say.
func (h *history) of(name string) (learnt, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.load(name)
}

func (h *history) load(name string) (learnt, string) {
	if l, ok := h.known[name]; ok || h.dir == "" {
		return l, ""
	}
	l, err := readLearnt(h.file(name))
	if h.known == nil {
		h.known = make(map[string]learnt)
	}
	h.known[name] = l
	if err == nil {
		return l, ""
	}
	word := fmt.Sprintf("what earlier runs have learnt of the host cannot be used: %v", err)
	if errors.Is(err, errNotLearnt) {
		aside := h.file(name) + ".unusable"
		if os.Rename(h.file(name), aside) == nil {
			word += "; it is set aside as " + aside
		}
	}
	return l, word
}

var errNotLearnt = errors.New("it is damaged, or of a newer Flotilla")

// readLearnt reads a file; one that is not there is empty.
func readLearnt(file string) (learnt, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return learnt{}, nil
	case err != nil:
		return learnt{}, err
	case !info.Mode().IsRegular() || info.Size() > learntMost:
		return learnt{}, errNotLearnt
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return learnt{}, err
	}
	var l learnt
	if json.Unmarshal(text, &l) != nil || !l.valid() {
		return learnt{}, errNotLearnt
	}
	return l, nil
}

// add keeps what a run has taught of a host. It returns a word if that cannot be
// done, once.
func (h *history) add(name string, fresh learnt) string {
	if h.dir == "" || len(fresh.Steps) == 0 && fresh.Memory == 0 && fresh.Root == "" {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Another run may have added something.
	now, err := readLearnt(h.file(name))
	if err != nil {
		now, _ = h.load(name)
	}
	now.add(fresh)
	if h.known == nil {
		h.known = make(map[string]learnt)
	}
	h.known[name] = now
	if err := h.write(name, now); err != nil && !h.mute {
		h.mute = true
		return fmt.Sprintf("what was learnt of this run's duration and memory cannot be kept: %v", err)
	}
	return ""
}

// write replaces a host's file.
func (h *history) write(name string, l learnt) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	part, err := os.CreateTemp(h.dir, ".part-*") // 0600
	if err != nil {
		return err
	}
	_, err = part.Write(append(text, '\n'))
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), h.file(name))
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// memory is the largest peak that is known of any host, 0 if none is.
func (h *history) memory() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == "" {
		return 0
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return 0
	}
	var most int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), learntEnds)
		if !ok || strings.HasPrefix(name, "+") { // of no host
			continue
		}
		l, known := h.known[name]
		if !known {
			l, _ = readLearnt(h.file(name)) // a word comes with that host
		}
		most = max(most, l.Memory)
	}
	return most
}
