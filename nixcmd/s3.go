package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// PingS3 finds out whether the server of an s3:// store answers, if the store's URL names it
// (endpoint); others, and stores of other kinds, are not asked. It sends no credentials and
// writes nothing: who may read the bucket is between Nix and the server, so that any answer
// will do but the server's own failure. No error repeats the URL.
func PingS3(ctx context.Context, storeURL string) error {
	file, err := s3File(storeURL, "nix-cache-info")
	if err != nil || file == "" {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, file, nil)
	if err != nil {
		return errS3Endpoint
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return proc.Because(ctx, err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

var errS3Endpoint = errors.New("its endpoint is neither HOST, HOST:PORT nor a URL")

// s3File is the address of a file in the bucket of an s3:// store, "" if the store's URL does
// not say where that is. Nix takes an endpoint with or without a scheme.
func s3File(storeURL, name string) (string, error) {
	u, err := url.Parse(storeURL)
	if err != nil {
		return "", errors.New("not a URL")
	}
	query := u.Query()
	endpoint := query.Get("endpoint")
	if u.Scheme != "s3" || endpoint == "" {
		return "", nil
	}
	if !strings.Contains(endpoint, "://") {
		scheme := query.Get("scheme")
		if scheme == "" {
			scheme = "https"
		}
		endpoint = scheme + "://" + endpoint
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return "", errS3Endpoint
	}
	return at.JoinPath(u.Host, u.Path, name).String(), nil
}
