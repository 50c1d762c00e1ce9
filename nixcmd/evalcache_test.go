package nixcmd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// Of evaluations that run at once the first looks into Nix's evaluation cache; the
// others wait to hear what it found.
func TestEvalCaches(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(first *cacheUse)
		want bool
	}{
		"the answer is there":      {func(u *cacheUse) { u.tell(true); u.leave() }, true},
		"it is not":                {func(u *cacheUse) { u.tell(false) }, false},
		"not, whatever comes next": {func(u *cacheUse) { u.tell(false); u.tell(true); u.leave() }, false},
		"the first comes to grief": {func(u *cacheUse) { u.leave() }, false},
		"there, but not once more": {func(u *cacheUse) { u.tell(true); u.tell(false) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all evalCaches
				first, err := all.enter(t.Context(), "flake")
				if err != nil || !first.used() {
					t.Fatal("the first does not use it", err)
				}
				other, err := all.enter(t.Context(), "another flake")
				if err != nil || !other.used() {
					t.Error("another flake's is in the way", err)
				}
				second := make(chan *cacheUse)
				go func() {
					u, err := all.enter(t.Context(), "flake")
					if err != nil {
						t.Error(err)
					}
					second <- u
				}()
				synctest.Wait()
				select {
				case <-second:
					t.Error("the second did not wait")
				default:
				}
				c.tell(first)
				u := <-second
				if u.used() != c.want {
					t.Errorf("the second uses it: %v", u.used())
				}
				u.tell(false)
				third, err := all.enter(t.Context(), "flake")
				if err != nil || third.used() {
					t.Error("the third looks where the second found nothing", err)
				}
			})
		})
	}
}

// Once none is left that runs, everything may be different.
func TestEvalCachesBeginAnew(t *testing.T) {
	var all evalCaches
	a, _ := all.enter(t.Context(), "")
	a.tell(false)
	b, _ := all.enter(t.Context(), "")
	a.leave()
	if c, _ := all.enter(t.Context(), ""); c.used() {
		t.Error("b is still at work")
	} else {
		c.leave()
	}
	b.leave()
	if d, _ := all.enter(t.Context(), ""); !d.used() {
		t.Error("nobody was at work")
	}
}

func TestEvalCachesWaitWithContext(t *testing.T) {
	var all evalCaches
	first, _ := all.enter(t.Context(), "")
	cause := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := all.enter(ctx, ""); !errors.Is(err, cause) {
		t.Error(err)
	}
	first.tell(false)
	first.leave()
	if len(all.flake) != 0 {
		t.Error("who gave up still counts")
	}
}
