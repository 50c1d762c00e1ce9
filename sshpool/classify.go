package sshpool

import (
	"regexp"
	"slices"
	"strings"
)

// This file is the only place that reads ssh's words. They are the messages of
// OpenSSH 8.4 to 10.x under LC_ALL=C, recorded in testdata.

// diagnosis is what ssh's messages mean.
type diagnosis struct {
	kind Kind
	hint string
	busy bool // the host may well answer in a moment
}

// rule gives a diagnosis to messages with any of the parts in them.
type rule struct {
	parts []string
	diagnosis
}

// rules are tried in order; the first one with a matching part decides. Causes
// come before their consequences: an unknown key also prints "verification
// failed", and a refused log-in may also print "Connection closed".
func rules() []rule {
	return []rule{
		{[]string{"REMOTE HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested strict checking"},
			diagnosis{kind: KindHostKeyChanged, hint: "find out why the key changed, compare the fingerprint over another channel, then remove the old key with `ssh-keygen -R HOST`"}},
		{[]string{"REVOKED HOST KEY", "is marked as revoked"},
			diagnosis{kind: KindHostKeyChanged, hint: "the host offers a key marked as revoked in known_hosts; do not connect until the host has a new key"}},
		{[]string{"Host key verification failed", "host key is known for"},
			diagnosis{kind: KindHostKeyUnknown, hint: "compare the host's fingerprint over another channel and add its key to known_hosts, for example by connecting once by hand"}},
		{[]string{"Bad configuration option", "bad configuration options", "Bad owner or permissions on", "Can't open user config file",
			"command-line line 0", "command-line: line 0", "extra arguments at end of line", "ControlPath too long", "Unsupported option", "unix_listener: path", "jumphost loop"},
			diagnosis{kind: KindConfig, hint: "correct the ssh options or the file named in the message"}},
		{[]string{"no matching key exchange method", "no matching cipher", "no matching MAC", "no matching host key type"},
			diagnosis{kind: KindConfig, hint: "client and host have no algorithm in common; upgrade one of them or allow the algorithm in ssh_config"}},
		{[]string{"Permission denied", "Too many authentication failures", "Authentication failed", "No more authentication methods"},
			diagnosis{kind: KindAuth, hint: "check the user name, that the key is loaded (`ssh-add -l`) and that the host lists it in authorized_keys"}},
		{[]string{"Could not resolve hostname"},
			diagnosis{kind: KindUnreachable, hint: "check the spelling of the host and the name service"}},
		{[]string{"Connection refused"},
			diagnosis{kind: KindUnreachable, hint: "the machine answers but nothing listens on that port: check the port and that sshd runs"}},
		{[]string{"stdio forwarding failed", "open failed: connect failed", "UNKNOWN port 65535"},
			diagnosis{kind: KindUnreachable, hint: "the connection goes through a jump host or proxy command; try that part by hand with `ssh -v`"}},
		{[]string{"timed out", "Timeout, server", "No route to host", "Network is unreachable", "Host is down"},
			diagnosis{kind: KindUnreachable, hint: "check that the host is up and that the network and firewall let ssh through"}},
		{[]string{"Connection closed", "Connection reset", "kex_exchange_identification", "banner exchange", "Broken pipe", "ssh_dispatch_run_fatal",
			"Received disconnect", "Disconnected from"},
			diagnosis{kind: KindUnreachable, busy: true, hint: "the host closed the connection before the log-in: look at sshd's log (MaxStartups, penalties, access rules)"}},
	}
}

// diagnose says what an error that ssh has explained means, and what to do.
func (e *Error) diagnose() {
	d := classify(e.Stderr)
	e.Kind, e.Hint, e.busy = d.kind, d.hint, d.busy
	if d.kind == KindHostKeyChanged {
		e.HostKey = changedKey(e.Stderr)
		if hint := e.HostKey.hint(); hint != "" {
			e.Hint = hint
		}
	}
}

// classify tells from ssh's own messages why no connection came about.
func classify(messages string) diagnosis {
	for _, r := range rules() {
		if slices.ContainsFunc(r.parts, func(p string) bool { return strings.Contains(messages, p) }) {
			return r.diagnosis
		}
	}
	return diagnosis{kind: KindUnknown, hint: "run the same ssh command by hand with -v"}
}

// ending is how a session's ssh came to its end, as far as its log tells.
type ending int

const (
	// endUnclear: the command may have been running.
	endUnclear ending = iota
	// endStatus: the remote exit code arrived, so the code is the command's.
	endStatus
	// endNotBegun: the master was gone before it was given the command.
	endNotBegun
	// endRefused: the host would not open another session.
	endRefused
	// endMisconfigured: ssh would not even start with its settings.
	endMisconfigured
)

// sessionEnding reads the log, at level DEBUG2, of an ssh that exited with 255;
// stderr is looked at only if ssh never came to asking the master, when it
// cannot be a remote command's.
//
// The order of events is that of OpenSSH's mux.c: greeting, session request,
// the master's answer, exit status. Only without a request unanswered is it
// certain that the command has not begun.
func sessionEnding(log, stderr string) ending {
	switch {
	case strings.Contains(log, "Received exit status from master"):
		return endStatus
	case sessionOpened(log):
		return endUnclear
	case strings.Contains(log, "session request failed"), strings.Contains(log, "Master refused session request"):
		return endRefused
	case strings.Contains(log, "read from master failed") && !strings.Contains(log, "alive request failed") &&
		!strings.Contains(log, "hello exchange failed"):
		return endUnclear
	case strings.Contains(log, "Executing proxy"):
		return endNotBegun
	case !strings.Contains(log, "master version ") && classify(messages(log+stderr)).kind == KindConfig:
		return endMisconfigured
	}
	return endUnclear
}

// sessionOpened reports whether the log of a multiplexed session shows that the
// host has opened it.
func sessionOpened(log string) bool { return strings.Contains(log, "master session id: ") }

// freshBegun reports whether the log, at level DEBUG1, of a direct connection
// shows that the log-in succeeded, after which the command is sent.
func freshBegun(log string) bool { return strings.Contains(log, "Entering interactive session") }

var freshStatus = regexp.MustCompile(`(?m)^debug1: Exit status \d+\r?$`)

// freshExit reports whether the log of a direct connection shows that the host
// told how the command ended, and whether that was by a signal. A status of -1
// alone only means that nothing was told (OpenSSH 8.4).
func freshExit(log string) (signalled, ok bool) {
	signalled = strings.Contains(log, " rtype exit-signal ")
	return signalled, signalled || freshStatus.MatchString(log)
}

// freshKilled reports whether a signal ended a direct connection's ssh, which
// exits with 0 in that case (OpenSSH 8.4) or 255.
func freshKilled(log string) bool { return strings.Contains(log, "Killed by signal ") }

// messages returns a log without its debugging lines, line ends made plain, and without what
// ssh adds to what the socket program has said for it.
func messages(log string) string {
	var keep []string
	told := strings.Contains(log, connectFailed)
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		debug := strings.HasPrefix(line, "debug") && len(line) > 7 && line[6] == ':'
		chatter := strings.HasPrefix(line, "Authenticated to ") || strings.HasPrefix(line, "Authenticated using ") ||
			strings.HasPrefix(line, "Transferred: ") || strings.HasPrefix(line, "Bytes per second: ")
		if !debug && !chatter && !(told && saysUnpassed(line)) {
			keep = append(keep, line)
		}
	}
	return strings.TrimSpace(strings.Join(keep, "\n"))
}

// connectFailed begins what ssh, or the socket program for it, says of a host that it cannot reach.
const connectFailed = "ssh: connect to host"

// saysUnpassed reports whether ssh says that a socket program has passed no connection.
func saysUnpassed(line string) bool {
	return strings.HasPrefix(line, "mm_receive_fd: ") || strings.HasPrefix(line, "proxy dialer did not pass back a connection")
}

// unpassed reports whether no connection was passed, and nothing said why.
func unpassed(messages string) bool {
	return slices.ContainsFunc(strings.Split(messages, "\n"), saysUnpassed) && !strings.Contains(messages, connectFailed)
}

// isConsequence reports whether a line only follows from the one before it.
func isConsequence(line string) bool {
	return strings.HasPrefix(line, "Connection closed by UNKNOWN") ||
		saysUnpassed(line) ||
		strings.HasPrefix(line, "Disconnected from") ||
		strings.HasPrefix(line, "Host key verification failed") ||
		strings.HasPrefix(line, "kex_exchange_identification: Connection closed by remote host")
}

// tellingLine returns the last line that is no mere consequence of another.
func tellingLine(messages string) string {
	lines := strings.Split(strings.TrimSpace(messages), "\n")
	for _, line := range slices.Backward(lines) {
		if !isConsequence(line) {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[0])
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
