package sshpool

import (
	"fmt"
	"strconv"
	"strings"
)

// Target says whom to connect to. Only Host is required.
type Target struct {
	// Host is an address, a name, or an alias of ssh_config(5).
	Host string
	// User is the remote user; empty leaves it to ssh.
	User string
	// Port is the remote TCP port; 0 leaves it to ssh.
	Port int
	// Options are ssh_config(5) settings of the form "Name=value", such as
	// "ProxyJump=gate". They come before the pool's defaults (ConnectTimeout,
	// StrictHostKeyChecking, ServerAliveInterval, ServerAliveCountMax) and so
	// replace them.
	Options []string
}

// String returns the target as [user@]host[:port].
func (t Target) String() string {
	s := t.Host
	if t.Port != 0 {
		if strings.Contains(s, ":") {
			s = "[" + s + "]"
		}
		s += ":" + strconv.Itoa(t.Port)
	}
	if t.User != "" {
		s = t.User + "@" + s
	}
	return s
}

// isOwned names the options, in lower case, that would break the package's use
// of ssh; setting them would be ignored at best.
func isOwned(name string) bool {
	switch name {
	case "batchmode", "clearallforwardings", "controlmaster", "controlpath", "controlpersist",
		"escapechar", "forkafterauthentication", "forwardagent", "forwardx11", "loglevel",
		"remotecommand", "requesttty", "sessiontype", "stdinnull":
		return true
	}
	return false
}

// isLocal names the options, in lower case, that make ssh run or load local
// programs. They belong into the user's own ssh_config, where data from
// elsewhere cannot set them.
func isLocal(name string) bool {
	switch name {
	case "include", "knownhostscommand", "localcommand", "match", "permitlocalcommand",
		"pkcs11provider", "proxycommand", "securitykeyprovider", "xauthlocation":
		return true
	}
	return false
}

// Validate reports the first thing wrong with t as an *Error of KindConfig.
// A valid target holds nothing that ssh could take for an option or that could
// become shell text, also not through the %h and %r of a ProxyCommand in the
// user's ssh_config(5).
func (t Target) Validate() error {
	if err := t.validate(); err != nil {
		return &Error{Target: t, Kind: KindConfig, ExitCode: -1, NotStarted: true, Err: err,
			Hint: "correct the host's address, user, port or ssh options"}
	}
	return nil
}

func (t Target) validate() error {
	switch {
	case t.Host == "":
		return fmt.Errorf("the host is empty")
	case !isWord(t.Host, "._:%-[]"):
		return fmt.Errorf("host %q is not a plain name or address", t.Host)
	case t.User != "" && !isWord(t.User, "._+@-"):
		return fmt.Errorf("user %q is not a plain name", t.User)
	case t.Port < 0 || t.Port > 65535:
		return fmt.Errorf("port %d is not between 0 and 65535", t.Port)
	}
	for _, o := range t.Options {
		if err := validateOption(o); err != nil {
			return err
		}
	}
	return nil
}

func validateOption(option string) error {
	name, value, ok := strings.Cut(option, "=")
	if !ok || value == "" || !isWord(name, "") {
		return fmt.Errorf("ssh option %q is not of the form Name=value", option)
	}
	for _, r := range value {
		if r <= ' ' || r == 0x7f || strings.ContainsRune("\"'`\\;&|<>()", r) {
			return fmt.Errorf("ssh option %q holds white space, quotes or shell characters", option)
		}
	}
	switch lower := strings.ToLower(name); {
	case isOwned(lower):
		return fmt.Errorf("ssh option %s is set by the connection pool", name)
	case isLocal(lower):
		return fmt.Errorf("ssh option %s runs local programs; set it in ssh_config", name)
	}
	return nil
}

// isWord reports whether s is made of ASCII letters, digits and the given
// punctuation only, and does not begin with a dash.
func isWord(s, punctuation string) bool {
	if s == "" || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alnum && strings.IndexByte(punctuation, c) < 0 {
			return false
		}
	}
	return true
}
