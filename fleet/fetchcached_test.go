package fleet

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

const gone = nixcmd.StorePath("/nix/store/33333333333333333333333333333333-gone")

// A host says what it lacked and lacks; an answer that is none, or not whole, is an error.
func TestParseFetched(t *testing.T) {
	f, err := parseFetched("flotilla-fetch 1\nlacked " + string(newSystem) + "\nlacked " + string(gone) + "\nstatus 1\nlacks " + string(gone) + "\nkey a:x\nkey b:y\nend ok\n")
	if err != nil || len(f.lacked) != 2 || len(f.lacks) != 1 || !f.lacks[gone] || strings.Join(f.keys, " ") != "a:x b:y" {
		t.Errorf("%+v, %v", f, err)
	}
	for status, want := range map[string]bool{"0": false, "1": false, "123": false, "124": true, "137": true} {
		if f, err := parseFetched("flotilla-fetch 1\nstatus " + status + "\nend ok\n"); err != nil || f.gaveUp != want {
			t.Errorf("status %s: %+v, %v", status, f, err)
		}
	}
	if got := (refusal{kind: tooSlow}).text(2, "interrupted by the user"); got != "2 paths of the fleet's cache not fetched: it brought less than 128 KiB a second; sent from here" {
		t.Errorf("%q", got)
	}
	for _, text := range []string{"", "end ok\n", "flotilla-fetch 1\n", "flotilla-fetch 2\nend ok\n", "flotilla-fetch 1\nlacks /etc\nend ok\n", "Welcome!\n"} {
		if f, err := parseFetched(text); err == nil {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

// Why a host has not taken what a cache has: by who has signed it, and whom it trusts.
func TestRefuse(t *testing.T) {
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := func(name string, k ed25519.PublicKey) string {
		return name + ":" + base64.StdEncoding.EncodeToString(k)
	}
	good := "a:" + base64.StdEncoding.EncodeToString(ed25519.Sign(secret, []byte("1;"+string(gone)+";sha256:x;7;")))
	sig := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "StorePath: %s\nURL: nar/x\nNarHash: sha256:x\nNarSize: 7\nReferences: \n%s", gone, sig)
	}))
	defer server.Close()
	cache, err := nixcmd.OpenBinaryCache(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	for _, c := range []struct {
		sig  string
		keys []string
		want refusal
	}{
		{"", []string{key("a", public)}, refusal{unsigned, ""}},
		{"Sig: " + good, []string{key("a", public)}, refusal{notFetched, ""}},
		{"Sig: " + good, nil, refusal{notTrusted, "a"}},
		{"Sig: " + good + "\nSig: b:x", []string{key("c", other)}, refusal{notTrusted, "a, b"}},
		{"Sig: " + good, []string{key("c", other), key("a", other)}, refusal{badSignature, "a"}},
		{"Sig: " + strings.Replace(good, "a:", "b:", 1), []string{key("a", public)}, refusal{notTrusted, "b"}},
	} {
		sig = c.sig
		info, found, err := cache.Lookup(t.Context(), gone)
		if err != nil || !found {
			t.Fatal(err)
		}
		if got := refuse(cache, info, c.keys); got != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
		if text := c.want.text(1, ""); !strings.HasPrefix(text, "1 path of the fleet's cache ") || !strings.Contains(text, "sent from here") {
			t.Errorf("%s", text)
		}
	}
}

// A cache is asked once for all hosts; one that says nothing is given up.
func TestCacheProbe(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintln(w, "StoreDir: /nix/store")
	}))
	var p cacheProbe
	for range 3 {
		if err := p.answers(t.Context(), server.URL); err != nil {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	server.Close()
	p = cacheProbe{}
	if err := p.answers(t.Context(), server.URL); err == nil || strings.Contains(err.Error(), server.URL) {
		t.Errorf("down: %v", err)
	}
	p = cacheProbe{}
	if err := p.answers(t.Context(), "s3://bucket"); err != nil {
		t.Errorf("of a kind that cannot be asked: %v", err)
	}
	for _, endpoint := range []string{server.URL, strings.TrimPrefix(server.URL, "http://") + "&scheme=http"} {
		p = cacheProbe{}
		if err := p.answers(t.Context(), "s3://bucket?endpoint="+endpoint); err == nil || strings.Contains(err.Error(), server.URL) {
			t.Errorf("a bucket whose server is down: %v", err)
		}
		u, _ := url.Parse("s3://bucket?endpoint=" + endpoint)
		if err := answersPush(t.Context(), *u); err == nil {
			t.Error("a push to a bucket whose server is down")
		}
	}
	if rate := (CacheUse{LackedPaths: 4, LackedBytes: 200, FetchedPaths: 3, FetchedBytes: 50}); rate.Rate() != 0.25 || rate.String() == "" || (CacheUse{}).String() != "" {
		t.Errorf("%v %q", rate.Rate(), rate.String())
	}
}

// Nix sums up in the end that nothing came; what came first says why. (The texts are those
// of Nix 2.26.)
func TestComplaints(t *testing.T) {
	const sum = "\nerror: build of '/nix/store/33333333333333333333333333333333-gone', '/nix/store/44444444444444444444444444444444-etc' failed"
	for _, c := range []struct{ said, want string }{
		{"copying path '" + string(gone) + "' from 'http://c'...\nerror: failed to read compressed data (Truncated zstd input)" + sum, "failed to read compressed data (Truncated zstd input)"},
		{"error: hash mismatch importing path '" + string(gone) + "';\n         specified: sha256:a\n         got:       sha256:b" + sum, "hash mismatch importing path '" + string(gone) + "'"},
		{"error:\n       … while it was fetched\n\n       error: no" + sum, "no"},
		{"warning: ignoring the client-specified setting 'substituters'" + sum, "ignoring the client-specified setting 'substituters'"},
		{"error: there is no daemon", "there is no daemon"},
		{"these 2 paths will be fetched", ""},
	} {
		var said complaints
		for line := range strings.Lines(c.said) {
			said.add(line)
		}
		if got := said.cause(); got != c.want {
			t.Errorf("%q: %q", c.said, got)
		}
	}
}

// A web server that does not answer is not waited for once more to push to it; one that
// answers, but is no cache yet, is pushed to.
func TestPushToACacheThatIsLeftOut(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, c := range []struct {
		url, push string
		copies    bool
		says      string
	}{
		{"http://127.0.0.1:1", "http://127.0.0.1:1?compression=xz", false, "not pushed to the fleet's cache http://127.0.0.1:1?compression=xz, which does not answer"},
		{"http://127.0.0.1:1", server.URL, true, ""},
		{server.URL, server.URL, true, ""},
	} {
		d := &depot{world: &world{}}
		f, hosts := depotOf(t, d, "[cache]\nurl = \""+c.url+"\"\npublic-key = \""+goodKey+"\"\npush = \""+c.push+"\"\n[hosts.a]\n")
		r := f.Deploy(t.Context(), hosts, DeployOptions{FromCache: true}).Results[0]
		copies := strings.Contains(strings.Join(d.did, "\n"), `copy to="http`)
		if copies != c.copies || r.NotPushed != c.says {
			t.Errorf("%s, %s: %q, %q", c.url, c.push, r.NotPushed, d.did)
		}
	}
}
