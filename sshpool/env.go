package sshpool

import (
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// environment returns what ssh runs with. LC_ALL=C keeps the system's error
// texts in the one language that classify reads. BatchMode is not handed on to
// the ssh that ProxyJump starts; an askpass that always fails keeps that one
// from waiting at a terminal for ever (ssh(1) SSH_ASKPASS_REQUIRE, 8.4).
func environment(env []string) []string {
	settings := []string{"LC_ALL=C", "SSH_ASKPASS=false", "SSH_ASKPASS_REQUIRE=force"}
	if env == nil {
		return proc.Environ(settings...)
	}
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
	return append(env, settings...)
}
