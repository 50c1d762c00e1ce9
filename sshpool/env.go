package sshpool

import (
	"os"
	"path/filepath"
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
		env = os.Environ()
	}
	for _, kv := range env {
		if shell, ok := strings.CutPrefix(kv, "SHELL="); ok && !runsCommands(shell) {
			settings = append(settings, "SHELL=/bin/sh")
		}
	}
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
	return append(env, settings...)
}

// runsCommands reports whether ssh can have the shell run a ProxyCommand, ours to a jump host
// included: that of an account that nobody logs in to, such as a service's, cannot.
func runsCommands(shell string) bool {
	switch filepath.Base(shell) {
	case "nologin", "false", "true":
		return false
	}
	_, err := proc.LookPath(shell)
	return shell == "" || err == nil // ssh takes an empty one for none
}
