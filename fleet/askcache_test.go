package fleet

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAskCache(t *testing.T) {
	answer := "StoreDir: /nix/store\nWantMassQuery: 1\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/nix-cache-info" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	ask := func(url string) *CacheAnswer {
		return (&Fleet{Inventory: &Inventory{Cache: Cache{URL: url}}}).AskCache(t.Context())
	}
	if a := ask(server.URL); a == nil || a.Err != nil || a.Took <= 0 || a.URL != server.URL {
		t.Errorf("%+v", a)
	}
	answer = "<html>"
	if a := ask(server.URL); a == nil || a.Err == nil || a.Took != 0 {
		t.Errorf("no cache: %+v", a)
	}
	server.Close()
	if a := ask(server.URL); a == nil || a.Err == nil || strings.Contains(a.Err.Error(), server.URL) {
		t.Errorf("down: %+v", a)
	}
	for what, url := range map[string]string{"none": "", "of a kind that cannot be asked": "s3://bucket"} {
		if a := ask(url); a != nil {
			t.Errorf("%s: %+v", what, a)
		}
	}
}

// One that takes a connection and says nothing does not hold anything up for longer
// than whoever asks has time.
func TestAskCacheHangs(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if a := (&Fleet{Inventory: &Inventory{Cache: Cache{URL: server.URL}}}).AskCache(ctx); a == nil || a.Err == nil {
		t.Errorf("%+v", a)
	}
}
