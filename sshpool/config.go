package sshpool

import (
	"fmt"
	"path/filepath"
	"time"
)

// HostKeyPolicy says what happens when a host's key is not in known_hosts. A
// changed key is refused under every policy.
type HostKeyPolicy int

const (
	// Strict refuses unknown keys (ssh_config(5) StrictHostKeyChecking=yes).
	// It is the zero value.
	Strict HostKeyPolicy = iota
	// AcceptNew records unknown keys (StrictHostKeyChecking=accept-new).
	AcceptNew
)

// String returns the policy as StrictHostKeyChecking spells it.
func (p HostKeyPolicy) String() string {
	if p == AcceptNew {
		return "accept-new"
	}
	return "yes"
}

// Config says how a Pool connects. The zero value is useful.
type Config struct {
	// Program is the ssh to run, looked up in PATH; empty means "ssh".
	Program string
	// Dir holds the sockets, with mode 0700 and owned by this user; it is
	// made if missing. Empty means $XDG_RUNTIME_DIR/flotilla/ssh, or
	// /tmp/flotilla-UID/ssh where that variable is not set or names a directory
	// that is another user's or too long. It must be short enough
	// for a socket and made of letters, digits and "._/+,:=@-" only.
	Dir string
	// Persist is how long an unused master stays; 0 means 10 minutes. With a
	// negative value the pool's masters are shared with nobody and end with
	// Close.
	Persist time.Duration
	// ConnectTimeout bounds reaching a host; 0 means 10 s. Fractions of a
	// second are rounded up for ssh. A whole handshake, log-in included, may
	// take three times as long. The first session over a master found running
	// has this long to open, and at most 5 s, before the master is replaced.
	ConnectTimeout time.Duration
	// HostKeys is the policy for unknown host keys.
	HostKeys HostKeyPolicy
	// ConfigFile replaces the user's ssh_config(5) (ssh -F); empty keeps it.
	// The same characters as in Dir are allowed.
	ConfigFile string
	// MaxSessions is the number of simultaneous sessions per host; 0 means 8,
	// since sshd_config(5) MaxSessions is 10 and others need some. It is lowered
	// by itself for a host that refuses.
	MaxSessions int
	// MaxConnecting is the number of simultaneous handshakes; 0 means 8, since
	// an sshd, such as a jump host's, drops some beyond 10 by default
	// (sshd_config(5) MaxStartups).
	MaxConnecting int
	// SocketProgram is a command that calls PassSocket with the arguments that are appended
	// to it. Where ssh would connect to a host by itself, in the plain way, that program does
	// it in its place and passes the socket to ssh (ssh_config(5) ProxyUseFdpass), with
	// TCP_NODELAY, which ssh sets only after the log-in: without it each handshake
	// takes two round trips longer, and a delayed acknowledgement of 40 ms. nil leaves all
	// to ssh, as does the Pool where the program makes no connection.
	SocketProgram []string
	// Env is the environment of ssh; nil means that of this process. LC_ALL=C
	// is always set in it, and reaches the host where ssh_config(5) sends it;
	// SSH_ASKPASS is set to a program that fails, so that nothing ever asks.
	Env []string
}

func (c Config) withDefaults() (Config, error) {
	if c.Program == "" {
		c.Program = "ssh"
	}
	if c.Dir == "" {
		c.Dir = defaultDir()
	}
	if c.Persist == 0 {
		c.Persist = 10 * time.Minute
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.MaxSessions <= 0 {
		c.MaxSessions = 8
	}
	if c.MaxConnecting <= 0 {
		c.MaxConnecting = 8
	}
	if c.ConfigFile != "" && c.ConfigFile != "none" {
		abs, err := filepath.Abs(c.ConfigFile)
		if err != nil {
			return c, err
		}
		c.ConfigFile = abs
		if !isWord(abs, pathPunctuation) {
			return c, fmt.Errorf("ssh configuration %q: only letters, digits and %q are allowed", abs, pathPunctuation)
		}
	}
	c.Env = environment(c.Env)
	return c, nil
}
