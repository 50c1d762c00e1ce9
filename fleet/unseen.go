package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/readset"
)

// Unseen remembers which files were warned of because the flake does not see them. Fleets
// that share one (Config.Unseen) warn of each file once. The zero value has warned of none;
// it may be used by several goroutines, and must not be copied.
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

// NextUnseen waits until there are files that the flake does not see, that would concern a
// host, and that Config.Unseen has not warned of, and returns the warning: one sentence. It is
// for whoever waits for Next, to which such files are no change; runs warn by themselves.
// Without Config.Unseen it returns the same warning each time. The error is ctx's cause.
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
			if r := readset.Known(store.Load(h)); r != nil {
				all = append(all, r)
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
