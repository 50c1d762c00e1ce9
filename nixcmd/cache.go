package nixcmd

import (
	"strconv"
	"time"
)

// Cache is a binary cache to fetch from besides those of nix.conf. Nix takes
// it from root and from its trusted-users only; for others it warns and goes on
// without. The zero value is no cache.
type Cache struct {
	// URL is the cache's store URL, such as "http://p620:5000"; one word.
	URL string
	// PublicKey is the key that its paths are signed with, as NAME:BASE64.
	PublicKey string
	// ConnectTimeout is how long a connection may take before the cache counts
	// as down, in whole seconds, rounded up; 0 means Nix's own.
	ConnectTimeout time.Duration
	// StallTimeout is how long a download may bring nothing before it counts as
	// failed, in whole seconds, rounded up; 0 means Nix's own.
	StallTimeout time.Duration
}

// args are the settings for one command. A single attempt makes a cache that is
// down cost one connect timeout; with more, Nix waits for it as often, though
// it then leaves it alone for a minute. The settings hold for every substituter
// of the command. (download-attempts is an alias from Nix 2.35 on.)
func (c Cache) args() []string {
	if c.URL == "" {
		return nil
	}
	args := []string{"--option", "extra-substituters", c.URL, "--option", "extra-trusted-public-keys", c.PublicKey}
	return append(args, patienceArgs(c.ConnectTimeout, c.StallTimeout)...)
}

// patienceArgs are the settings that bound what a server may cost which is down, or
// falls silent; 0 is Nix's own. (The second holds for uploads, too.)
func patienceArgs(connect, stall time.Duration) (args []string) {
	seconds := func(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }
	if connect > 0 {
		args = append(args, "--option", "connect-timeout", seconds(connect), "--option", "download-attempts", "1")
	}
	if stall > 0 {
		args = append(args, "--option", "stalled-download-timeout", seconds(stall))
	}
	return args
}
