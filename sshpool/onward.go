package sshpool

import (
	"strconv"
	"strings"
)

// OnwardArgs is the command with which another machine, to which there is a Conn, runs a
// command on the target over a connection of its own: as the user that the Conn logged in
// as, with that user's keys, ssh_config(5) and known_hosts. No agent is forwarded to it, so
// that it can do there only what it can do by itself; a host key that it does not know is
// refused; and it gives up after some seconds. The target's Options are left out: they say
// how it is reached from here. Errors are those of Target.Validate.
func OnwardArgs(t Target, command ...string) ([]string, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	a := options(onward([]string{"ssh", "-T"}), "LogLevel=ERROR")
	return append(destination(a, t), Quote(command...)), nil
}

// OnwardNixSSHOpts is the value of NIX_SSHOPTS with which that machine's nix reaches the
// target in the same way. User and host belong into the store's URL. Errors are those of
// Target.Validate.
func OnwardNixSSHOpts(t Target) (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	a := onward(nil)
	if t.Port != 0 {
		a = append(a, "-p", strconv.Itoa(t.Port))
	}
	return strings.Join(a, " "), nil
}

func onward(a []string) []string {
	return options(forced(a),
		"ControlMaster=no",
		"ControlPath=none",
		"ConnectTimeout=5",
		"StrictHostKeyChecking=yes",
		"ServerAliveInterval=5",
		"ServerAliveCountMax=3")
}
