package sshpool

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// settings are those that apply to a target, by their names in lower case; of one
// that is given more than once the last. nil if ssh did not tell.
type settings map[string]string

// settings asks ssh (-G), which contacts nobody.
func (h *host) settings(ctx context.Context) settings {
	limited, cancel := context.WithTimeoutCause(ctx, h.pool.config.ConnectTimeout, errHandshake)
	defer cancel()
	res, err := proc.Run(limited, proc.Cmd{Argv: settingsArgs(h.pool.config, h.target), Env: h.pool.config.Env, Grace: cancelGrace})
	if err != nil {
		return nil // whatever it is, the handshake will tell
	}
	return parseSettings(string(res.Stdout))
}

func parseSettings(text string) settings {
	s := make(settings)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			s[name] = value
		}
	}
	return s
}

// isSet reports whether a setting has a value, other than the one that is as good as none.
func (s settings) isSet(name, but string) bool {
	value, ok := s[name]
	return ok && value != "none" && value != but
}

// way are the settings with which ssh has Config.SocketProgram connect to the target: none if
// ssh would not connect by itself, or not in the plain way.
func (h *host) way(s settings, log string) []string {
	c := h.pool.config
	if len(c.SocketProgram) == 0 || s["hostname"] == "" ||
		s.isSet("proxyjump", "") || s.isSet("proxycommand", "") || s.isSet("bindaddress", "") || s.isSet("bindinterface", "") ||
		s.isSet("canonicalizehostname", "false") || s.isSet("checkhostip", "no") || s.isSet("connectionattempts", "1") ||
		s.isSet("nohostauthenticationforlocalhost", "no") { // behind a ProxyCommand ssh knows no address to be local
		return nil
	}
	call := socketCall{host: "%h", port: "%p", family: "ip", keepAlive: s.isSet("tcpkeepalive", "no"), patience: c.ConnectTimeout, log: log}
	switch s["addressfamily"] {
	case "inet":
		call.family = "ip4"
	case "inet6":
		call.family = "ip6"
	}
	if n, err := strconv.Atoi(s["connecttimeout"]); err == nil && n > 0 {
		call.patience = time.Duration(n) * time.Second
	}
	var words []string
	for _, w := range c.SocketProgram {
		words = append(words, strings.ReplaceAll(w, "%", "%%"))
	}
	return []string{"ProxyCommand=" + Quote(append(words, call.args()...)...), "ProxyUseFdpass=yes"}
}
