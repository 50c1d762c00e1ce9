package fleet

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

const goodKey = "p620-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func TestCacheOfTheInventory(t *testing.T) {
	inv, err := parse("/f/fleet.toml", []byte("[cache]\nurl = \"http://p620:5000?priority=30\"\npublic-key = \""+goodKey+"\"\n[hosts.a]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := nixcmd.Cache{URL: "http://p620:5000?priority=30", PublicKey: goodKey, ConnectTimeout: 5 * time.Second, StallTimeout: 15 * time.Second}
	if got := inv.Cache.forNix(); got != want || inv.NeedCache() != nil {
		t.Errorf("got %+v, %v", got, inv.NeedCache())
	}
	inv, err = parse("/f/fleet.toml", []byte("[hosts.a]\n"))
	if err != nil || inv.NeedCache() == nil || !strings.Contains(inv.NeedCache().Error(), "/f/fleet.toml: has no [cache]") {
		t.Errorf("without: %v, %v", err, inv.NeedCache())
	}
}

// Both values become settings of Nix whose lists are separated by blanks: none
// may be more than the one cache and the one key that it says it is.
func TestCacheRefuses(t *testing.T) {
	for _, c := range []struct{ name, url, key, want string }{
		{"no scheme", "p620:5000", goodKey, ":2: cache: the url is not"},
		{"no host", "http://", goodKey, ":2: cache: the url is not"},
		{"another scheme", "ssh://p620", goodKey, ":2: cache: the url is not"},
		{"two", "http://a http://b", goodKey, ":2: cache: the url is not"},
		{"line", "http://a\\nb", goodKey, ":2: cache: the url is not"},
		{"option", "--option", goodKey, ":2: cache: the url is not"},
		{"password", "http://me:hunter2@a", goodKey, ":2: cache: the url holds a user or a password"},
		{"password of an endpoint", "s3://b?endpoint=http://me:hunter2@a", goodKey, ":2: cache: the url holds a user or a password"},
		{"password of an encoded endpoint", "s3://b?endpoint=http%3A%2F%2Fme%3Ahunter2%40a", goodKey, ":2: cache: the url holds a user or a password"},
		{"user of an endpoint", "s3://b?endpoint=hunter2@a:9000", goodKey, ":2: cache: the url holds a user or a password"},
		{"a bad query", "s3://b?endpoint=http://me:hunter2@a;x", goodKey, ":2: cache: the url is not the address"},
		{"push to an endpoint", "https://a", goodKey + "\"\npush = \"s3://b?endpoint=http://me:hunter2@a", ":4: cache: push holds a user or a password"},
		{"empty", "", goodKey, ":2: cache: the url is missing"},
		{"no key", "file:///c", "", ":3: cache: the public-key is missing"},
		{"no name", "s3://bucket", goodKey[6:], ":3: cache: public-key is not of the form"},
		{"short", "https://a", "p620:AAAA", ":3: cache: public-key is not of the form"},
		{"two keys", "https://a", "x " + goodKey, ":3: cache: public-key is not of the form"},
		{"secret-key ", "https://a?x=y", goodKey + "\"\nsecret-key = \"k", ":4: cache: there is a secret-key, but nothing is pushed"},
		{"push", "https://a", goodKey + "\"\npush = \"ftp://a", ":4: cache: push is not the address"},
		{"push by ssh", "https://a", goodKey + "\"\npush = \"ssh-ng://me:hunter2@a", ":4: cache: push holds a user or a password"},
		{"push with a key", "https://a", goodKey + "\"\npush = \"file:///a?secret-key=/k", ":4: cache: push names a secret-key"},
		{"the key itself", "https://a", goodKey + "\"\npush = \"file:///a\"\nsecret-key = \"k:" + strings.Repeat("A", 86) + "==", ":5: cache: secret-key is a key, not"},
		{"no time", "https://a", goodKey + "\"\npush = \"file:///a\"\npush-timeout = \"0s", ":5: cache.push-timeout is 0s"},
		{"nowhere", "https://a", goodKey + "\"\nrequire-push = true\n#\"", ":4: cache: a push is required, but"},
		{"secret", "https://a", "p620:" + strings.Repeat("A", 86) + "==", ":3: cache: public-key is a secret key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse("/f/fleet.toml", []byte("[cache]\nurl = \""+c.url+"\"\npublic-key = \""+c.key+"\"\n[hosts.a]\n"))
			var ce *ConfigError
			if !errors.As(err, &ce) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "AAAAAA") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
