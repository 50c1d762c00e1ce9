package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/fetch.sh
var fetchScript string

// CacheUse is how much of what a host lacked it took from the fleet's cache. The rest
// was sent from here. The zero value is that the cache was not asked, or that nothing
// was lacking.
type CacheUse struct {
	// LackedPaths and LackedBytes (contents, NAR size) are what the host's store lacked
	// of the system.
	LackedPaths int
	LackedBytes int64
	// FetchedPaths and FetchedBytes are what of that came from the cache.
	FetchedPaths int
	FetchedBytes int64
}

// Rate is the part of the bytes that came from the cache, 0 to 1; 0 if nothing was
// lacking.
func (u CacheUse) Rate() float64 {
	if u.LackedBytes == 0 {
		return 0
	}
	return float64(u.FetchedBytes) / float64(u.LackedBytes)
}

// String says it for people; it is empty for the zero value.
func (u CacheUse) String() string {
	if u.LackedPaths == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d paths (%.0f %% of %s) from the fleet's cache", u.FetchedPaths, u.LackedPaths, 100*u.Rate(), bytesText(u.LackedBytes))
}

const (
	// fetchLeast is how long a host may take to fetch from the fleet's cache however
	// little it is, fetchRate how many bytes a second it must bring beyond that. What is
	// slower is left, and sent from here.
	fetchLeast = 30 * time.Second
	fetchRate  = 128 << 10
)

// fetchCached lets the host fetch from the fleet's cache what it lacks of the system,
// and keeps which stores hold what then; list asks the store that has it all. Nix there
// takes only what is signed by a key that it trusts. Whatever goes wrong with the cache is
// a word, and no more: what is not fetched is sent.
func (j *job) fetchCached(ctx context.Context, s *surveyed, list func(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error)) (use CacheUse, err error) {
	if j.cache.URL == "" || strings.HasPrefix(j.cache.URL, "file:") { // a directory of this machine
		return use, nil
	}
	wanted, err := j.closure(ctx, s, list)
	if err != nil {
		return use, err
	}
	answer, err := j.askToFetch(ctx, s.conn, wanted)
	if err != nil {
		if ctx.Err() != nil {
			return use, context.Cause(ctx)
		}
		j.warn(StepCopy, fmt.Sprintf("the host could not fetch from the fleet's cache: %v; everything is sent from here", err))
		return use, nil
	}
	k := &stores{wanted: wanted, missing: answer.lacks}
	if s.stores != nil {
		k.live = s.stores.live
	}
	for _, info := range wanted {
		if !answer.lacked[info.Path] {
			continue
		}
		use.LackedPaths++
		use.LackedBytes += info.NarSize
		if !answer.lacks[info.Path] {
			use.FetchedPaths++
			use.FetchedBytes += info.NarSize
		}
	}
	j.set(func(r *Result) { r.Cache = use })
	j.explainUnfetched(ctx, answer)
	s.stores = k
	return use, nil
}

// fetched is a host's answer to fetch.sh.
type fetched struct {
	// lacked is what it lacked before, lacks what after.
	lacked, lacks map[nixcmd.StorePath]bool
	// keys are those that it trusts, if it still lacks something.
	keys []string
	// gaveUp is whether it left the cache, which took too long.
	gaveUp bool
	// says is what Nix complained of there; "" if of nothing.
	says string
}

// askToFetch runs fetch.sh, and tells of its progress.
func (j *job) askToFetch(ctx context.Context, conn Remote, wanted []nixcmd.PathInfo) (fetched, error) {
	mode := "only"
	if j.host.SubstituteOnTarget {
		mode = "also"
	}
	var input strings.Builder
	for _, info := range wanted {
		fmt.Fprintf(&input, "%d %s\n", info.NarSize, info.Path)
	}
	var mu sync.Mutex
	begun, lacked := 0, 0
	var said complaints
	res, err := conn.Run(ctx, sshpool.Cmd{
		Argv: []string{"sh", "-c", fetchScript, "sh", mode, j.cache.URL,
			strconv.Itoa(int(fetchLeast / time.Second)), strconv.Itoa(fetchRate)},
		Stdin: strings.NewReader(input.String()),
		Stdout: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(line, "lacked ") {
				lacked++
			}
		},
		Stderr: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			if rest, ok := strings.CutPrefix(line, "copying path '"); ok {
				name, _, _ := strings.Cut(rest, "'")
				if p := storePath(name); p != "" {
					begun++
					j.progress(StepCopy, fmt.Sprintf("from the fleet's cache, %d of %d paths: %s", begun, lacked, p.Name()), begun-1, lacked)
				}
				return
			}
			said.add(line)
		},
	})
	if err != nil {
		return fetched{}, err
	}
	answer, err := parseFetched(string(res.Stdout))
	answer.says = said.cause()
	return answer, err
}

// complaints are what the host's Nix says of a fetch that does not go well.
type complaints struct {
	first, last, warning string
}

func (c *complaints) add(line string) {
	line = strings.TrimSpace(line)
	if text, ok := strings.CutPrefix(line, "warning: "); ok {
		c.warning = text
	}
	if text, ok := strings.CutPrefix(line, "error: "); ok {
		if c.last = text; c.first == "" {
			c.first = text
		}
	}
}

// cause is what came first: in the end Nix only sums up that all of it failed.
func (c *complaints) cause() string {
	text := c.first
	if c.first == c.last {
		text = or(c.warning, c.first)
	}
	return strings.TrimRight(text, ";:. ")
}

func parseFetched(text string) (fetched, error) {
	f := fetched{lacked: map[nixcmd.StorePath]bool{}, lacks: map[nixcmd.StorePath]bool{}}
	begun := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		into := f.lacks
		switch key {
		case "flotilla-fetch":
			begun = value == "1"
		case "lacked":
			into = f.lacked
			fallthrough
		case "lacks":
			p, err := nixcmd.ParseStorePath(value)
			if err != nil {
				return f, fmt.Errorf("%w: %w", errNoStoreAnswer, err)
			}
			into[p] = true
		case "status":
			// timeout(1): 124, and 137 if it had to kill.
			f.gaveUp = value == "124" || value == "137"
		case "key":
			f.keys = append(f.keys, value)
		case "end":
			if !begun {
				return f, errNoStoreAnswer
			}
			return f, nil
		}
	}
	if !begun {
		return f, errNoStoreAnswer
	}
	return f, errCutShort
}

const (
	// explainMost is about how many paths the cache is asked why they were not taken,
	// explainPatience how long that may take.
	explainMost     = 200
	explainPatience = 3 * time.Second
)

// explainUnfetched says why what the cache has was not taken from it, if that can be
// found out from here. What the cache has not is no news.
func (j *job) explainUnfetched(ctx context.Context, f fetched) {
	if len(f.lacks) == 0 {
		return
	}
	cache, err := nixcmd.OpenBinaryCache(j.cache.URL)
	if err != nil {
		if f.says != "" && errors.Is(err, nixcmd.ErrCacheKind) {
			j.warn(StepCopy, fmt.Sprintf("%d paths were not fetched from the fleet's cache; the host's Nix says: %s", len(f.lacks), f.says))
		}
		return
	}
	defer cache.Close()
	paths := make([]nixcmd.StorePath, 0, len(f.lacks))
	for p := range f.lacks {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	asking, cancel := context.WithTimeout(ctx, explainPatience)
	defer cancel()
	var mu sync.Mutex
	reasons := map[refusal]int{}
	err = inParallel(asking, lookupsAtOnce, paths[:min(len(paths), explainMost)], func(ctx context.Context, p nixcmd.StorePath) error {
		info, found, err := cache.Lookup(ctx, p)
		if err != nil || !found {
			return err
		}
		why := refuse(cache, info, f.keys)
		if why.kind == notFetched && f.gaveUp {
			why.kind = tooSlow
		}
		mu.Lock()
		defer mu.Unlock()
		reasons[why]++
		return nil
	})
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, nixcmd.ErrCacheAnswer) {
		j.warn(StepCopy, fmt.Sprintf("the fleet's cache %s is of no use: %v; %s sent from here", withoutPassword(j.cache.URL), err, counted(len(f.lacks), "path")))
		return
	}
	if err != nil {
		j.warn(StepCopy, fmt.Sprintf("the fleet's cache stopped answering (%v); %d paths are sent from here", causeOf(asking, err), len(f.lacks)))
		return
	}
	for _, why := range []refusal{{kind: unsigned}, {kind: notFetched}} {
		if n := reasons[why]; n > 0 {
			j.warn(StepCopy, why.text(n, f.says))
		}
		delete(reasons, why)
	}
	for why, n := range reasons {
		j.warn(StepCopy, why.text(n, f.says))
	}
}

// refusal is why a host's Nix does not take a path from a cache.
type refusal struct {
	kind int
	// keys are the names of the keys that have signed it, with commas.
	keys string
}

// The kinds of refusal.
const (
	notFetched   = iota // for no reason that is known here
	unsigned            // nobody has signed it
	notTrusted          // nobody whom the host trusts has
	badSignature        // a signature by a trusted name is not by its key
	tooSlow             // the host left the cache before
)

// refuse finds out why a host that trusts the keys has not taken a path.
func refuse(cache *nixcmd.BinaryCache, info nixcmd.NarInfo, keys []string) refusal {
	if cache.Takes(info, keys) {
		return refusal{kind: notFetched}
	}
	signers := info.Signers()
	if len(signers) == 0 {
		return refusal{kind: unsigned}
	}
	for _, key := range keys {
		if name, _, _ := strings.Cut(key, ":"); slices.Contains(signers, name) {
			return refusal{badSignature, name}
		}
	}
	return refusal{notTrusted, strings.Join(signers, ", ")}
}

func (r refusal) text(n int, says string) string {
	paths := counted(n, "path")
	switch r.kind {
	case unsigned:
		return paths + " of the fleet's cache not taken: nobody has signed them; sent from here. Sign what is put there ([cache] secret-key)"
	case notTrusted:
		return paths + " of the fleet's cache not taken: signed by " + r.keys + ", whom the host does not trust; sent from here. If that is the cache's key, add it to the host's nix.settings.trusted-public-keys"
	case badSignature:
		return paths + " of the fleet's cache not taken: what is signed as " + r.keys + " is not signed by the key that the host has under that name; sent from here. Somebody else's key, or a changed path: look into it"
	case tooSlow:
		return paths + " of the fleet's cache not fetched: it brought less than " + bytesText(fetchRate) + " a second; sent from here"
	}
	text := paths + " of the fleet's cache could not be fetched; sent from here"
	if says != "" {
		text += ". The host's Nix says: " + says
	}
	return text
}
