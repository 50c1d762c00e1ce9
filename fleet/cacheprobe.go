package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

const (
	// probePatience is how long the fleet's cache may take for its first answer: one
	// small file. One that takes longer would cost more than it saves.
	probePatience = 3 * time.Second
	// probeHolds is how long an answer, or none, is held to be true.
	probeHolds = time.Minute
)

var errCacheSlow = fmt.Errorf("no answer within %d s", probePatience/time.Second)

// cacheProbe finds out whether the fleet's cache answers. The zero value is ready, and
// may be used concurrently.
type cacheProbe struct {
	turn sync.Mutex
	at   time.Time
	err  error
}

// answers returns why the cache is of no use now, or nil; so also if it is of a kind
// that cannot be asked. Of a bucket it is only asked whether its server is there. All hosts
// of a run have one answer.
func (p *cacheProbe) answers(ctx context.Context, storeURL string) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	if !p.at.IsZero() && time.Since(p.at) < probeHolds {
		return p.err
	}
	err := pingCache(ctx, storeURL)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.at, p.err = time.Now(), err
	return err
}

func pingCache(ctx context.Context, storeURL string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probePatience, errCacheSlow)
	defer cancel()
	cache, err := nixcmd.OpenBinaryCache(storeURL)
	if errors.Is(err, nixcmd.ErrCacheKind) {
		if err := nixcmd.PingS3(ctx, storeURL); err != nil {
			return causeOf(ctx, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer cache.Close()
	if _, err = cache.Ping(ctx); err != nil {
		return causeOf(ctx, err)
	}
	return nil
}

// useCache lets the job use the fleet's cache if that answers; else it is left out, with
// a word.
func (j *job) useCache(ctx context.Context) {
	c := j.fleet.Inventory.Cache
	switch err := j.fleet.cacheProbe.answers(ctx, c.URL); {
	case err == nil:
		j.cache = c.forNix()
	case ctx.Err() == nil:
		if noAnswer(err) && sameServer(c.URL, c.Push) {
			j.fleet.shut.close("does not answer")
		}
		j.warn(StepSurvey, fmt.Sprintf("the fleet's cache %s is left out: %v", withoutPassword(c.URL), err))
	}
}

// noAnswer tells a server that is not there from one that is no cache, or not yet: the first
// push makes it one.
func noAnswer(err error) bool {
	var failed net.Error
	return errors.Is(err, errCacheSlow) || errors.As(err, &failed)
}

// sameServer reports whether two stores are served by the same web server.
func sameServer(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	return err == nil && err2 == nil && u.Host != "" && u.Host == v.Host && u.Scheme == v.Scheme && strings.HasPrefix(u.Scheme, "http")
}
