package fleet

import (
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
	URL string `toml:"url"`
	// PublicKey is the key that its paths are signed with, as NAME:BASE64.
	PublicKey string `toml:"public-key"`
}

// cacheTimeout is how long a connection to the fleet's cache may take before
// the build goes on without it.
const cacheTimeout = 5 * time.Second

// forNix is the cache as Nix takes it.
func (c Cache) forNix() nixcmd.Cache {
	return nixcmd.Cache{URL: c.URL, PublicKey: c.PublicKey, ConnectTimeout: cacheTimeout}
}

// NeedCache returns a *ConfigError that says what to do if the fleet has no
// cache of its own.
func (inv *Inventory) NeedCache() error {
	if inv.Cache != (Cache{}) {
		return nil
	}
	return &ConfigError{File: filepath.Join(inv.Dir, FileName), Problem: "has no [cache]",
		Help: `add one with its url and public-key, such as url = "http://p620:5000"`}
}

// problems checks a cache that fleet.toml has: both values become settings of
// Nix, whose lists are separated by blanks. No problem repeats a key's text,
// which may be a secret one.
func (c Cache) problems() []problem {
	var ps []problem
	add := func(key, text, help string) { ps = append(ps, problem{key, text, help}) }

	u, err := url.Parse(c.URL)
	word := func(text string) bool { return !strings.ContainsAny(text, " \t") && !hasControl(text) }
	switch {
	case c.URL == "":
		add("url", "cache: the url is missing", `such as url = "http://p620:5000"`)
	case err == nil && u.User != nil:
		add("url", "cache: the url holds a user or a password, which every user of this machine could see", "put them into a netrc file (nix.conf, netrc-file)")
	case err != nil || !word(c.URL) || !slices.Contains([]string{"http", "https", "s3", "file"}, u.Scheme) || u.Host == "" && u.Scheme != "file":
		// Not repeated, for it may hold a password all the same.
		add("url", "cache: the url is not the address of a binary cache", "use http://, https://, s3:// or file://")
	}
	name, encoded, _ := strings.Cut(c.PublicKey, ":")
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case c.PublicKey == "":
		add("public-key", "cache: the public-key is missing", "Nix takes nothing from a cache whose key it does not know; it is what `nix key convert-secret-to-public` prints there")
	case len(key) == 64:
		add("public-key", "cache: public-key is a secret key", "take it out, make a new pair, and put the public one here")
	case name == "" || !word(name) || err != nil || len(key) != 32:
		add("public-key", "cache: public-key is not of the form NAME:BASE64", "such as p620-1:… , what `nix key convert-secret-to-public` prints")
	}
	return ps
}
