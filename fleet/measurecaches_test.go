package fleet

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// cachingNix is a Nix with a closure of some paths and some substituters.
type cachingNix struct {
	Nix
	paths        []nixcmd.StorePath
	substituters []string
	missing      bool
}

func (n *cachingNix) Evaluate(context.Context, nixcmd.Installable, nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	return nixcmd.Evaluation{Toplevel: n.paths[0]}, nil
}

func (n *cachingNix) Settings(context.Context) (nixcmd.Settings, error) {
	return nixcmd.Settings{Substituters: n.substituters, RequireSigs: true}, nil
}

func (n *cachingNix) Missing(_ context.Context, paths []nixcmd.StorePath) ([]nixcmd.StorePath, error) {
	if n.missing {
		return paths, nil
	}
	return nil, nil
}

func (n *cachingNix) Closure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	var all []nixcmd.PathInfo
	for _, p := range n.paths {
		all = append(all, nixcmd.PathInfo{Path: p, NarSize: 10})
	}
	return all, nil
}

// A cache with half of the paths is found to have about half of them, with a
// bounded number of questions; the fleet's own is asked once, though nix.conf
// names it too, and without its password in the answer.
func TestMeasureCaches(t *testing.T) {
	n := &cachingNix{}
	for i := range 3000 {
		n.paths = append(n.paths, nixcmd.StorePath(fmt.Sprintf("/nix/store/%d%031d-p", i%10, i)))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, isInfo := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".narinfo")
		switch {
		case r.URL.Path == "/nix-cache-info":
			fmt.Fprintln(w, "StoreDir: /nix/store")
		case r.URL.Path == "/nar":
			fmt.Fprint(w, "0123456789")
		case isInfo && (hash[len(hash)-2]-'0')%2 == 0:
			fmt.Fprintf(w, "StorePath: /nix/store/%s-p\nURL: nar\nNarHash: sha256:x\nNarSize: 10\nCA: fixed:x\n", hash)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	withPassword := strings.Replace(server.URL, "http://", "http://user:secret@", 1)
	n.substituters = []string{withPassword, server.URL + "/", "s3://x"}
	f := &Fleet{nix: n, stages: newStages(Limits{}), Inventory: &Inventory{Cache: Cache{URL: server.URL, PublicKey: "k:x"}}}
	told := 0
	r, err := f.MeasureCaches(t.Context(), threeHosts(), func(url string) {
		told++
		if strings.Contains(url, "secret") {
			t.Errorf("%s shows a password", url)
		}
	})
	if err != nil || r.Paths != 3000 || len(r.Caches) != 3 || told != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, c := range []CacheMeasurement{r.Caches[0], r.Caches[2]} {
		if c.Err != nil || c.Asked != lookupMost || c.Found < 400 || c.Found > 600 || c.Usable != c.Found ||
			c.UsableBytes != int64(10*c.Usable) || c.Downloaded != int64(10*c.Found) || len(c.Latency) != pings || strings.Contains(c.URL, "secret") {
			t.Errorf("%+v", c)
		}
	}
	if r.Caches[0].Own || !r.Caches[2].Own || r.Caches[1].Err == nil || r.Caches[1].Asked != 0 {
		t.Errorf("%+v", r.Caches)
	}

	n.missing = true
	if r, err = f.MeasureCaches(t.Context(), threeHosts(), func(string) {}); err != nil || len(r.NotBuilt) != 3 || r.Paths != 0 {
		t.Errorf("not built: %+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := f.MeasureCaches(ctx, threeHosts(), func(string) {}); err == nil && r.Hosts.ExitCode() == ExitOK {
		t.Error("cancelled, and no error")
	}
}
