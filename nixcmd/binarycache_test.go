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
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// served is a cache with one path; what is in files goes first.
func served(t *testing.T, key ed25519.PrivateKey, files map[string]string) *BinaryCache {
	t.Helper()
	const nar = "an archive"
	sum := sha256.Sum256([]byte(nar))
	sig := ed25519.Sign(key, []byte("1;"+somePath+";sha256:abc;10;"+StoreDir+"/00000000000000000000000000000000-dep"))
	hash, _, _ := strings.Cut(strings.TrimPrefix(somePath, StoreDir+"/"), "-")
	all := map[string]string{
		"/c/nix-cache-info": "StoreDir: /nix/store\nPriority: 30\n",
		"/c/" + hash + ".narinfo": "StorePath: " + somePath + "\nURL: nar/x.nar?hash=1\nNarHash: sha256:abc\nNarSize: 10\nFileHash: sha256:" + base32(sum[:]) +
			"\nReferences: 00000000000000000000000000000000-dep\nSig: other-1:AAAA\nSig: k-1:" + base64.StdEncoding.EncodeToString(sig) + "\n",
		"/c/nar/x.nar": nar,
	}
	for name, text := range files {
		all[strings.ReplaceAll(name, "HASH", hash)] = text
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch text, ok := all[r.URL.Path]; {
		case !ok:
			http.NotFound(w, r)
		case text == "500":
			http.Error(w, "broken", http.StatusInternalServerError)
		case text == "hang":
			<-r.Context().Done()
		default:
			fmt.Fprint(w, text)
		}
	}))
	t.Cleanup(s.Close)
	c, err := OpenBinaryCache(strings.Replace(s.URL, "http://", "http://user:secret@", 1) + "/c/?priority=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestBinaryCache(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := served(t, private, nil)
	if strings.Contains(c.String(), "secret") {
		t.Errorf("%s shows a password", c)
	}
	if _, err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	info, found, err := c.Lookup(t.Context(), somePath)
	if err != nil || !found || info.NarSize != 10 || info.FileSize != 10 {
		t.Fatalf("%+v, %v, %v", info, found, err)
	}
	key := base64.StdEncoding.EncodeToString(public)
	for keys, want := range map[string]bool{"k-1:" + key: true, "k-2:" + key: false, "k-1:!": false, "": false} {
		if c.Takes(info, []string{keys}) != want {
			t.Errorf("key %q: not %v", keys, want)
		}
	}
	n := 0
	if err := c.Download(t.Context(), info, func(k int) { n += k }); err != nil || n != 10 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, found, err := c.Lookup(t.Context(), StoreDir+"/00000000000000000000000000000000-dep"); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// A cache that lies, breaks or says nothing gives an error, without its password.
func TestBinaryCacheErrors(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file, text, want string
	}{
		{"not a cache", "/c/nix-cache-info", "<html>", "it is not a binary cache"},
		{"another store", "/c/nix-cache-info", "StoreDir: /gnu/store", "another store"},
		{"broken", "/c/nix-cache-info", "500", "it answers 500 Internal Server Error"},
		{"hangs", "/c/nix-cache-info", "hang", "deadline exceeded"},
		{"another path", "/c/HASH.narinfo", "StorePath: /nix/store/00000000000000000000000000000000-x\n", "of another path"},
		{"no size", "/c/HASH.narinfo", "StorePath: " + somePath + "\nURL: x\n", "cannot be understood"},
		{"huge", "/c/HASH.narinfo", strings.Repeat("x", 1<<20+1), "larger than"},
		{"no archive", "/c/HASH.narinfo", "StorePath: " + somePath + "\nURL: gone\nNarSize: 1\n", "has not the archive"},
		{"archive elsewhere", "/c/HASH.narinfo", "StorePath: " + somePath + "\nURL: http://x/y\nNarSize: 1\n", "not in the cache"},
		{"archive above", "/c/HASH.narinfo", "StorePath: " + somePath + "\nURL: ../../y\nNarSize: 1\n", "not in the cache"},
		{"another archive", "/c/nar/x.nar", "something else", "not what its hash says"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := served(t, private, map[string]string{c.file: c.text})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.text == "hang" {
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			_, err := cache.Ping(ctx)
			if err == nil {
				var info NarInfo
				if info, _, err = cache.Lookup(ctx, somePath); err == nil {
					err = cache.Download(ctx, info, func(int) {})
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestOpenBinaryCacheErrors(t *testing.T) {
	for _, url := range []string{"s3://bucket", "ssh-ng://host", "local", "", "http://", "daemon"} {
		if _, err := OpenBinaryCache(url); !errors.Is(err, ErrCacheKind) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := OpenBinaryCache("http://user:sec%ret@x"); err == nil || strings.Contains(err.Error(), "sec") {
		t.Errorf("%v", err)
	}
}

// Nix's own words for the hash of "" and of "abc" (nix-hash --type sha256 --base32).
func TestBase32(t *testing.T) {
	for text, want := range map[string]string{
		"":    "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
		"abc": "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s",
	} {
		sum := sha256.Sum256([]byte(text))
		if got := base32(sum[:]); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A server's name that leads nowhere is said without the name server's address, and stays
// recognisable as an error of the network.
func TestServerWithoutAnAddress(t *testing.T) {
	for _, c := range []struct {
		err  net.DNSError
		want string
	}{
		{net.DNSError{Name: "cache", Server: "127.0.0.53:53", Err: "no such host", IsNotFound: true}, "there is no host cache"},
		{net.DNSError{Name: "cache", Server: "127.0.0.53:53", Err: "read udp: connection refused"}, "the name cache cannot be looked up"},
	} {
		err := unreached(&net.OpError{Op: "dial", Net: "tcp", Err: &c.err})
		var network net.Error
		if err.Error() != c.want || !errors.As(err, &network) {
			t.Errorf("%v", err)
		}
	}
	if err := unreached(io.EOF); err != io.EOF {
		t.Error(err)
	}
}
