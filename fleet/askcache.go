package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// CacheAnswer says whether a binary cache answers.
type CacheAnswer struct {
	// URL is its address without a password.
	URL string
	// Err says why it does not answer; nil if it does.
	Err error
	// Took is how long its answer took, with making the connection; 0 with Err.
	Took time.Duration
}

// AskCache asks the fleet's own cache ([cache] of fleet.toml) what it is, within 5
// seconds: for its nix-cache-info, as Nix does before it fetches anything. nil means
// that the fleet has none, or one that cannot be asked so (nixcmd.ErrCacheKind).
func (f *Fleet) AskCache(ctx context.Context) *CacheAnswer {
	own := f.Inventory.Cache.URL
	if own == "" {
		return nil
	}
	a := &CacheAnswer{URL: withoutPassword(own)}
	cache, err := nixcmd.OpenBinaryCache(own)
	if errors.Is(err, nixcmd.ErrCacheKind) {
		return nil
	}
	if err != nil {
		a.Err = err
		return a
	}
	defer cache.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, cachePatience, errors.New("no answer within 5 s"))
	defer cancel()
	if a.Took, err = cache.Ping(ctx); err != nil {
		a.Err = causeOf(ctx, err)
	}
	return a
}
