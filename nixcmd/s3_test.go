package nixcmd

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The server of a bucket is asked for a file of it, with no credentials; whatever it says of
// that, it is there, unless it says that it is not.
func TestPingS3(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "the-id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	status := 0
	var asked []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r)
		w.WriteHeader(status)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for code, says := range map[int]string{200: "", 404: "", 403: "", 301: "", 503: "it answers 503 Service Unavailable"} {
		for _, store := range []string{"s3://bucket?endpoint=" + server.URL, "s3://bucket?region=x&endpoint=" + host + "&scheme=http", "s3://bucket?endpoint=http%3A%2F%2F" + strings.ReplaceAll(host, ":", "%3A")} {
			asked, status = nil, code
			err := PingS3(t.Context(), store)
			if said := ""; err != nil {
				if said = err.Error(); said != says {
					t.Errorf("%s, %d: %v", store, code, err)
				}
			} else if says != "" {
				t.Errorf("%s, %d: no error", store, code)
			}
			if len(asked) != 1 || asked[0].Method != http.MethodGet || asked[0].URL.Path != "/bucket/nix-cache-info" || asked[0].Header.Get("Authorization") != "" {
				t.Errorf("%s: asked %+v", store, asked)
			}
		}
	}
	asked = nil
	for _, store := range []string{"s3://bucket", "s3://bucket?region=eu-west-1", server.URL, "file:///x?endpoint=" + host, "ssh-ng://h"} {
		if err := PingS3(t.Context(), store); err != nil || len(asked) > 0 {
			t.Errorf("%s: %v, asked %v", store, err, asked)
		}
	}
	for _, store := range []string{"s3://bucket?endpoint=ftp://h", "s3://bucket?endpoint=http://", "s3://bucket?endpoint=http://a%20b:x", "s3://bucket?endpoint=h&scheme=file"} {
		if err := PingS3(t.Context(), store); err == nil || strings.Contains(err.Error(), "bucket") {
			t.Errorf("%s: %v", store, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := PingS3(ctx, "s3://bucket?endpoint="+server.URL); err == nil {
		t.Error("no error although cancelled")
	}
	server.Close()
	if err := PingS3(t.Context(), "s3://bucket?endpoint="+server.URL); err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "bucket") {
		t.Errorf("nobody listens: %v", err)
	}
}
