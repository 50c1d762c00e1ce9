package fleet

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Cache is the fleet's own binary cache. The zero value is none.
type Cache struct {
	// URL is the cache's store URL, such as "http://p620:5000".
	URL string
	// PublicKey is the key that its paths are signed with, as NAME:BASE64.
	PublicKey string
	// Push is the store URL that built systems are copied to for the cache to have
	// them, such as "ssh-ng://p620" or "http://p620:5000"; empty means that nothing is.
	// Over ssh, the name of a host of the fleet means that host, as it is reached
	// otherwise.
	Push string
	// SecretKey is the absolute path of the file with the key that what is pushed is
	// signed with; empty leaves it with the signatures that it has.
	SecretKey string
	// PushTimeout bounds how long one push may take; 0 means 10 minutes.
	PushTimeout time.Duration
	// RequirePush makes a host fail, before it is activated, if its system could not be
	// pushed. Otherwise that is a warning.
	RequirePush bool
}

// fileCache is a Cache as it is written.
type fileCache struct {
	URL         string   `toml:"url"`
	PublicKey   string   `toml:"public-key"`
	Push        string   `toml:"push"`
	SecretKey   string   `toml:"secret-key"`
	PushTimeout duration `toml:"push-timeout"`
	RequirePush *bool    `toml:"require-push"`
}

const (
	// cacheConnect is how long a connection to the fleet's cache may take before the
	// work goes on without it, cacheStall how long it may then bring nothing.
	cacheConnect = 5 * time.Second
	cacheStall   = 15 * time.Second
	// pushTimeout is how long a push may take if fleet.toml does not say.
	pushTimeout = 10 * time.Minute
)

// forNix is the cache as Nix takes it.
func (c Cache) forNix() nixcmd.Cache {
	return nixcmd.Cache{URL: c.URL, PublicKey: c.PublicKey, ConnectTimeout: cacheConnect, StallTimeout: cacheStall}
}

// NeedCache returns a *ConfigError that says what to do if the fleet has no
// cache of its own.
func (inv *Inventory) NeedCache() error {
	if inv.Cache.URL != "" {
		return nil
	}
	return &ConfigError{File: filepath.Join(inv.Dir, FileName), Problem: "has no [cache]",
		Help: `add one with its url and public-key, such as url = "http://p620:5000"`}
}

// cache checks and takes over what fleet.toml says of a cache.
func (f fileCache) cache(r *reader, dir string) Cache {
	if r.keys.line("cache") == 0 {
		return Cache{}
	}
	c := Cache{URL: f.URL, PublicKey: f.PublicKey, Push: f.Push, SecretKey: f.SecretKey, RequirePush: isTrue(f.RequirePush)}
	if _, encoded, _ := strings.Cut(f.SecretKey, ":"); isSecretKey(encoded) {
		r.bad("cache: secret-key is a key, not the path of a file", "take it out, make a new pair, put the secret one into a file that only you can read, and name that", "cache", "secret-key")
		c.SecretKey = ""
	} else if c.SecretKey != "" && !filepath.IsAbs(c.SecretKey) {
		c.SecretKey = filepath.Join(dir, c.SecretKey)
	}
	for _, p := range c.problems() {
		r.bad(p.text, p.help, r.keys.nearest("cache", p.key)...)
	}
	c.PushTimeout = r.above0(f.PushTimeout, "cache", "push-timeout")
	return c
}

// isSecretKey reports whether a text is what follows the name of a secret key.
func isSecretKey(encoded string) bool {
	key, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && len(key) == ed25519.PrivateKeySize
}

// problems checks a cache that fleet.toml has: both values become settings of
// Nix, whose lists are separated by blanks. No problem repeats a key's text,
// which may be a secret one.
func (c Cache) problems() []problem {
	var ps []problem
	add := func(key, text, help string) { ps = append(ps, problem{key, text, help}) }

	// A URL is not repeated, for it may hold a password all the same.
	withheld := func(text string) string {
		if strings.HasPrefix(text, "s3:") {
			return "Nix finds those of a bucket in ~/.aws/credentials, or in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
		}
		return "put them into a netrc file (nix.conf, netrc-file)"
	}
	switch problem := storeProblem(c.URL, "http", "https", "s3", "file"); {
	case c.URL == "":
		add("url", "cache: the url is missing", `such as url = "http://p620:5000"`)
	case problem == urlHasUser:
		add("url", "cache: the url holds a user or a password, which every user of this machine could see", withheld(c.URL))
	case problem != urlGood:
		add("url", "cache: the url is not the address of a binary cache", "use http://, https://, s3:// or file://")
	}
	name, encoded, _ := strings.Cut(c.PublicKey, ":")
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case c.PublicKey == "":
		add("public-key", "cache: the public-key is missing", "Nix takes nothing from a cache whose key it does not know; it is what `nix key convert-secret-to-public` prints there")
	case len(key) == ed25519.PrivateKeySize:
		add("public-key", "cache: public-key is a secret key", "take it out, make a new pair, and put the public one here")
	case name == "" || !isOneWord(name) || err != nil || len(key) != ed25519.PublicKeySize:
		add("public-key", "cache: public-key is not of the form NAME:BASE64", "such as p620-1:… , what `nix key convert-secret-to-public` prints")
	}
	switch problem := storeProblem(c.Push, "ssh-ng", "http", "https", "s3", "file"); {
	case c.Push == "" && c.SecretKey != "":
		add("secret-key", "cache: there is a secret-key, but nothing is pushed", `add where to, such as push = "ssh-ng://p620"`)
	case c.Push == "" && c.RequirePush:
		add("require-push", "cache: a push is required, but there is no push", `add where to, such as push = "ssh-ng://p620"`)
	case c.Push == "":
	case problem == urlHasUser:
		add("push", "cache: push holds a user or a password, which every user of this machine could see", withheld(c.Push))
	case problem != urlGood:
		add("push", "cache: push is not the address of a store that can be copied to", "use ssh-ng://, http://, https://, s3:// or file://")
	case strings.Contains(c.Push, "secret-key="):
		add("push", "cache: push names a secret-key", "name its file as secret-key")
	}
	return ps
}

// What can be wrong with a store's URL.
const (
	urlGood = iota
	urlBad
	urlHasUser
)

// storeProblem checks the URL of a store of one of the schemes. Over ssh it may hold a
// user, but never a password; that of a bucket may have another in it, its endpoint.
func storeProblem(text string, schemes ...string) int {
	u, err := url.Parse(text)
	if err != nil || !isOneWord(text) {
		return urlBad
	}
	if _, hasPassword := u.User.Password(); hasPassword || u.User != nil && u.Scheme != "ssh-ng" {
		return urlHasUser
	}
	if u.Scheme == "s3" {
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return urlBad
		}
		if strings.Contains(query.Get("endpoint"), "@") {
			return urlHasUser
		}
	}
	if !slices.Contains(schemes, u.Scheme) || u.Host == "" && u.Scheme != "file" {
		return urlBad
	}
	return urlGood
}

// isOneWord reports whether a text has no blanks and no control characters.
func isOneWord(text string) bool { return !strings.ContainsAny(text, " \t") && !hasControl(text) }
