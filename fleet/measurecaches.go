package fleet

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// CacheReport is what came of MeasureCaches.
type CacheReport struct {
	// Hosts says of each host whether its system could be found out.
	Hosts *Report
	// NotBuilt are the hosts whose systems are not in the store here, so that
	// their closures are not known; nil if there are none.
	NotBuilt []Host
	// Paths and Bytes (of contents, as NarSize) are the closures of all others
	// together, each path once.
	Paths int
	Bytes int64
	// Caches are what Nix is configured to fetch from, in its order, and then the
	// fleet's own.
	Caches []CacheMeasurement
}

// CacheMeasurement is what was measured of one binary cache.
type CacheMeasurement struct {
	// URL is its address without a password.
	URL string
	// Own reports whether it is the [cache] of fleet.toml.
	Own bool
	// Err says why it could not be measured, or not to the end: it is down, it is
	// too slow, or of a kind that cannot be looked into (nixcmd.ErrCacheKind). nil
	// if all went well.
	Err error
	// Gave is how long it took to find out about Err, if nothing at all was heard.
	Gave time.Duration
	// Connect is the time of the first answer, with making the connection;
	// Latency are those of later ones over it.
	Connect time.Duration
	Latency []time.Duration
	// Asked is for how many paths it was asked, Found how many of them it has,
	// and Usable how many of those Nix would take: a trusted key has signed them.
	Asked, Found, Usable int
	// AskedBytes and UsableBytes are the contents of those asked for and those
	// usable.
	AskedBytes, UsableBytes int64
	// Downloaded is how many bytes of archives were downloaded, compressed as
	// they are there, and Took how long that took; 0 if it has none.
	Downloaded int64
	Took       time.Duration
}

// The bounds of what one cache may cost.
const (
	cachePatience    = 5 * time.Second  // for the first answer
	lookupPatience   = 20 * time.Second // for all look-ups
	downloadPatience = 10 * time.Second
	downloadMost     = 128 << 20 // bytes
	lookupMost       = 1000      // paths
	lookupsAtOnce    = 16        // below Nix's own 25 (http-connections)
	downloadsAtOnce  = 4
	pings            = 7
)

// MeasureCaches measures the binary caches that hosts' systems can be fetched
// from: how fast they answer, how much of the systems they have, and how fast
// that comes. It fetches into no store, deletes nothing and contacts no host. A
// cache that is down costs 5 seconds, one that is slow 35 at most; the caches are
// taken in turn. The error is that of asking Nix for its settings or for what is
// in the store here.
//
// Of more than 1000 paths, 1000 are asked for, those whose hashes come first:
// hashes have nothing to do with what they are of, so that these are a fair
// sample.
func (f *Fleet) MeasureCaches(ctx context.Context, hosts []Host, progress func(url string)) (*CacheReport, error) {
	r := &CacheReport{Hosts: f.Probe(ctx, hosts, ProbeEvaluateWarm)}
	if r.Hosts.ExitCode() != ExitOK {
		return r, nil
	}
	settings, err := f.nix.Settings(ctx)
	if err != nil {
		return r, err
	}
	paths, err := f.wantedPaths(ctx, r)
	if err != nil {
		return r, err
	}
	keys := settings.TrustedPublicKeys
	urls := settings.Substituters
	own := f.Inventory.Cache
	if own.URL != "" {
		keys = append(slices.Clone(keys), own.PublicKey)
		urls = slices.DeleteFunc(slices.Clone(urls), func(u string) bool { return sameCache(u, own.URL) })
		urls = append(urls, own.URL)
	}
	for _, u := range urls {
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		c := &measuring{keys: keys, paths: paths, anySig: !settings.RequireSigs}
		c.URL, c.Own = withoutPassword(u), own.URL != "" && u == own.URL
		progress(c.URL)
		c.Err = c.measure(ctx, u)
		r.Caches = append(r.Caches, c.CacheMeasurement)
	}
	return r, context.Cause(ctx)
}

func sameCache(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

// withoutPassword is a store URL for people; one that is none may be a password.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a substituter whose URL cannot be understood"
	}
	return u.Redacted()
}

// wantedPaths are the closures of the hosts' systems, in the order of their
// hashes.
func (f *Fleet) wantedPaths(ctx context.Context, r *CacheReport) ([]nixcmd.PathInfo, error) {
	var wanted []nixcmd.StorePath
	for _, res := range r.Hosts.Results {
		wanted = append(wanted, res.Wanted)
	}
	missing, err := f.nix.Missing(ctx, wanted)
	if err != nil {
		return nil, err
	}
	all := map[nixcmd.StorePath]nixcmd.PathInfo{}
	for _, res := range r.Hosts.Results {
		if slices.Contains(missing, res.Wanted) {
			r.NotBuilt = append(r.NotBuilt, res.Host)
			continue
		}
		closure, err := f.nix.Closure(ctx, res.Wanted)
		if err != nil {
			return nil, err
		}
		for _, p := range closure {
			all[p.Path] = p
		}
	}
	paths := make([]nixcmd.PathInfo, 0, len(all))
	for _, p := range all {
		paths = append(paths, p)
		r.Bytes += p.NarSize
	}
	r.Paths = len(paths)
	slices.SortFunc(paths, func(a, b nixcmd.PathInfo) int { return cmp.Compare(a.Path, b.Path) })
	return paths[:min(len(paths), lookupMost)], nil
}

// measuring is the measurement of one cache under way.
type measuring struct {
	CacheMeasurement
	keys   []string
	paths  []nixcmd.PathInfo
	anySig bool

	mu  sync.Mutex
	has []nixcmd.NarInfo
}

// errSlow is the cause of a look-up or a download that was not finished; what
// was measured until then counts.
var errSlow = errors.New("it is too slow: not everything was asked")

func (m *measuring) measure(ctx context.Context, storeURL string) error {
	cache, err := nixcmd.OpenBinaryCache(storeURL)
	if err != nil {
		return err
	}
	defer cache.Close()
	began := time.Now()
	if err := m.ping(ctx, cache); err != nil {
		m.Gave = time.Since(began)
		return err
	}
	if err := m.lookup(ctx, cache); err != nil {
		return err
	}
	return m.download(ctx, cache)
}

func (m *measuring) ping(ctx context.Context, cache *nixcmd.BinaryCache) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cachePatience, errors.New("no answer within 5 s"))
	defer cancel()
	var err error
	if m.Connect, err = cache.Ping(ctx); err != nil {
		return causeOf(ctx, err)
	}
	for range pings {
		took, err := cache.Ping(ctx)
		if err != nil {
			return causeOf(ctx, err)
		}
		m.Latency = append(m.Latency, took)
	}
	return nil
}

// causeOf is why a context was done, if it was, else the error.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (m *measuring) lookup(ctx context.Context, cache *nixcmd.BinaryCache) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lookupPatience, errSlow)
	defer cancel()
	err := inParallel(ctx, lookupsAtOnce, m.paths, func(ctx context.Context, p nixcmd.PathInfo) error {
		info, found, err := cache.Lookup(ctx, p.Path)
		if err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.Asked++
		m.AskedBytes += p.NarSize
		if !found {
			return nil
		}
		m.Found++
		m.has = append(m.has, info)
		if m.anySig || cache.Takes(info, m.keys) {
			m.Usable++
			m.UsableBytes += p.NarSize
		}
		return nil
	})
	if err != nil {
		return causeOf(ctx, err)
	}
	return nil
}

// download fetches the largest archives first: small ones measure latency.
func (m *measuring) download(ctx context.Context, cache *nixcmd.BinaryCache) error {
	slices.SortFunc(m.has, func(a, b nixcmd.NarInfo) int {
		return cmp.Or(cmp.Compare(b.FileSize, a.FileSize), cmp.Compare(a.Path, b.Path))
	})
	total := int64(0)
	for i, info := range m.has {
		if total += info.FileSize; total >= downloadMost {
			m.has = m.has[:i+1]
			break
		}
	}
	inner, cancel := context.WithTimeoutCause(ctx, downloadPatience, errSlow)
	defer cancel()
	began := time.Now()
	err := inParallel(inner, downloadsAtOnce, m.has, func(ctx context.Context, info nixcmd.NarInfo) error {
		return cache.Download(ctx, info, func(n int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.Downloaded += int64(n)
		})
	})
	if len(m.has) > 0 {
		m.Took = time.Since(began)
	}
	if err != nil && inner.Err() != nil && ctx.Err() == nil {
		return nil // time was up, as it may be
	}
	return err
}

// inParallel works on the items, so many at once, until one fails or ctx is done.
func inParallel[T any](ctx context.Context, n int, items []T, work func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(n, len(items)) {
		wg.Go(func() {
			for item := range next {
				if err := work(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		select {
		case next <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
