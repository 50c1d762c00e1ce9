package nixcmd

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// BinaryCache reads a binary cache over HTTP, or from a directory, by the
// protocol that Nix itself uses (Nix manual, "HTTP Binary Cache Store"). It exists
// to measure caches: nothing it reads is kept. Its methods may be called
// concurrently.
type BinaryCache struct {
	base    url.URL
	trusted bool
	client  *http.Client
}

// ErrCacheKind says that a store URL is not one of http://, https:// and file://.
var ErrCacheKind = errors.New("only http://, https:// and file:// caches can be looked into")

// ErrCacheAnswer says that a cache answers, but with what is no answer to the question.
var ErrCacheAnswer = errors.New("its answer is not a cache's")

// ErrNoCacheInfo says that a web server or a directory is no binary cache, or not yet.
var ErrNoCacheInfo = errors.New("it has no nix-cache-info: it is not a binary cache")

// OpenBinaryCache takes a store URL, and contacts nothing. Proxies are those of
// the environment; a netrc file is not read.
func OpenBinaryCache(storeURL string) (*BinaryCache, error) {
	u, err := url.Parse(storeURL)
	if err != nil {
		return nil, errors.New("not a URL") // which the error would repeat, with its password
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 32, ForceAttemptHTTP2: true}
	switch {
	case u.Scheme == "file":
		// A transport of its own: no server can redirect to a file.
		transport.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, ErrCacheKind
	}
	c := &BinaryCache{base: *u, trusted: u.Query().Get("trusted") == "true", client: &http.Client{Transport: transport}}
	c.base.RawQuery, c.base.Fragment = "", ""
	return c, nil
}

// String is the cache's URL without a password.
func (c *BinaryCache) String() string { return c.base.Redacted() }

// Close ends idle connections.
func (c *BinaryCache) Close() { c.client.CloseIdleConnections() }

// get opens a file of the cache; a file that is not there gives no body and no
// error.
func (c *BinaryCache) get(ctx context.Context, name string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := c.client.Do(req)
	var failed *url.Error
	switch {
	case errors.As(err, &failed):
		return nil, proc.Because(ctx, unreached(failed.Err)) // without the URL
	case err != nil:
		return nil, err
	case res.StatusCode == http.StatusOK:
		return res.Body, nil
	}
	_, _ = io.CopyN(io.Discard, res.Body, 1<<16) // so that the connection can be used again
	_ = res.Body.Close()
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	case http.StatusForbidden: // S3's word for a file that is not there
		return nil, nil
	}
	return nil, fmt.Errorf("it answers %s", res.Status)
}

// fields reads a small file of "Name: value" lines; nil if there is none.
func (c *BinaryCache) fields(ctx context.Context, name string) (map[string][]string, error) {
	body, err := c.get(ctx, name)
	if err != nil || body == nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // read to its end
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, err
	}
	if len(text) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	fields := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[key] = append(fields[key], strings.TrimSpace(value))
		}
	}
	return fields, nil
}

// nameError is that a server's name does not stand for an address, without the name server's
// own address in it.
type nameError struct{ *net.DNSError }

func (e *nameError) Unwrap() error { return e.DNSError }
func (e *nameError) Error() string {
	if e.IsNotFound {
		return "there is no host " + e.Name
	}
	return "the name " + e.Name + " cannot be looked up"
}

// unreached says more plainly why a server was not reached.
func unreached(err error) error {
	var name *net.DNSError
	if errors.As(err, &name) {
		return &nameError{name}
	}
	return err
}

// Ping asks for nix-cache-info and returns how long that took, on a connection
// that exists or a new one. An answer that is not a cache's is an error.
func (c *BinaryCache) Ping(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	fields, err := c.fields(ctx, "nix-cache-info")
	took := time.Since(began)
	switch {
	case err != nil:
		return 0, err
	case first(fields, "StoreDir") == "":
		return 0, ErrNoCacheInfo
	case first(fields, "StoreDir") != StoreDir:
		return 0, errors.New("it is for another store than " + StoreDir)
	}
	return took, nil
}

func first(fields map[string][]string, name string) string {
	if len(fields[name]) == 0 {
		return ""
	}
	return fields[name][0]
}

// NarInfo is what a cache says of a path that it has.
type NarInfo struct {
	// Path is the path.
	Path StorePath
	// URL is where the archive is, relative to the cache.
	URL string
	// FileSize is what has to be downloaded, in bytes; NarSize is that unpacked.
	FileSize, NarSize int64
	// FileHash is that of the file, "sha256:" and base 32; "" if it is not known.
	FileHash string

	fingerprint string
	sigs        []string
	content     bool
}

// Lookup asks for a path. One that the cache has not is no error.
func (c *BinaryCache) Lookup(ctx context.Context, p StorePath) (info NarInfo, found bool, err error) {
	if _, err := ParseStorePath(string(p)); err != nil {
		return NarInfo{}, false, err
	}
	name := p.Hash() + ".narinfo"
	fields, err := c.fields(ctx, name)
	if err != nil || fields == nil {
		return NarInfo{}, false, err
	}
	if first(fields, "StorePath") != string(p) {
		return NarInfo{}, false, fmt.Errorf("%w: %s is of another path", ErrCacheAnswer, name)
	}
	info = NarInfo{Path: p, URL: first(fields, "URL"), FileHash: first(fields, "FileHash"), sigs: fields["Sig"], content: first(fields, "CA") != ""}
	info.NarSize, err = strconv.ParseInt(first(fields, "NarSize"), 10, 64)
	if err != nil || info.NarSize < 0 || info.URL == "" {
		return NarInfo{}, false, fmt.Errorf("%w: %s cannot be understood", ErrCacheAnswer, name)
	}
	// Optional; and a file's size is near the archive's at most.
	if info.FileSize, err = strconv.ParseInt(first(fields, "FileSize"), 10, 64); err != nil || info.FileSize < 0 {
		info.FileSize = info.NarSize
	}
	refs := strings.Fields(first(fields, "References"))
	for i, r := range refs {
		refs[i] = absolute(r)
	}
	// What is signed: Nix, src/libstore/path-info.cc, fingerprint.
	info.fingerprint = fmt.Sprintf("1;%s;%s;%d;%s", p, first(fields, "NarHash"), info.NarSize, strings.Join(refs, ","))
	return info, true, nil
}

// Takes reports whether Nix would take the path from this cache: one of the keys
// has signed it, or its name says what is in it, or the store URL says that the
// cache is trusted.
func (c *BinaryCache) Takes(info NarInfo, keys []string) bool {
	if c.trusted || info.content {
		return true
	}
	for _, key := range keys {
		name, encoded, _ := strings.Cut(key, ":")
		public, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(public) != ed25519.PublicKeySize {
			continue
		}
		for _, s := range info.sigs {
			signer, encoded, _ := strings.Cut(s, ":")
			sig, err := base64.StdEncoding.DecodeString(encoded)
			if err == nil && signer == name && ed25519.Verify(public, []byte(info.fingerprint), sig) {
				return true
			}
		}
	}
	return false
}

// Download reads a path's archive to its end and drops it; count is called with
// the bytes as they come. A file that is not what FileHash says is an error.
func (c *BinaryCache) Download(ctx context.Context, info NarInfo, count func(n int)) error {
	name, _, _ := strings.Cut(info.URL, "?")
	if strings.Contains(name, "://") || strings.Contains(name, "..") {
		return errors.New("its archive is not in the cache")
	}
	body, err := c.get(ctx, name)
	if err != nil {
		return err
	}
	if body == nil {
		return errors.New("it has not the archive that it promises")
	}
	defer func() { _ = body.Close() }() // its error is that of the last read
	h := sha256.New()
	buffer := make([]byte, 1<<16)
	for {
		n, err := body.Read(buffer)
		h.Write(buffer[:n])
		count(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return proc.Because(ctx, err)
		}
	}
	if want, ok := strings.CutPrefix(info.FileHash, "sha256:"); ok && len(want) == 52 && want != base32(h.Sum(nil)) {
		return errors.New("an archive is not what its hash says")
	}
	return nil
}

// base32 is Nix's own: another alphabet, and the bytes from behind (Nix,
// src/libutil/hash.cc).
func base32(hash []byte) string {
	const digits = "0123456789abcdfghijklmnpqrsvwxyz"
	var b strings.Builder
	for n := (len(hash)*8 - 1) / 5; n >= 0; n-- {
		i, j := n*5/8, n*5%8
		c := hash[i] >> j
		if i+1 < len(hash) {
			c |= hash[i+1] << (8 - j)
		}
		b.WriteByte(digits[c&31])
	}
	return b.String()
}

// Signers are the names of the keys that are said to have signed it, in the cache's
// order; nil if nobody has.
func (i NarInfo) Signers() []string {
	var names []string
	for _, s := range i.sigs {
		name, _, _ := strings.Cut(s, ":")
		names = append(names, name)
	}
	return names
}
