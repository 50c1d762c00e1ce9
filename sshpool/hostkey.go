package sshpool

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// HostKey says what is the matter with a host's key, as far as ssh has told.
type HostKey struct {
	// Name is what known_hosts calls the host, such as "[gate]:2222".
	Name string
	// Type is the key's, as ssh writes it: "ED25519", "RSA", "ECDSA".
	Type string
	// Fingerprint is that of the key which the host offers now, "SHA256:…".
	Fingerprint string
	// File and Line are where the key that contradicts it is. Line counts from 1.
	File string
	Line int
}

// The messages of OpenSSH's sshconnect.c, in check_host_key and warn_changed_key.
var (
	keyName        = regexp.MustCompile(`(?m)^(?:Host key for|(?:The )?[A-Z0-9-]+ host key for) (\S+) (?:has changed|was revoked|is marked)`)
	keyFingerprint = regexp.MustCompile(`(?m)^The fingerprint for the (\S+) key sent by the remote host is\s+(SHA256:\S+?)\.?\s*$`)
	keyOffending   = regexp.MustCompile(`(?m)^Offending (?:key for IP|(\S+) key) in (.+):([0-9]+)\s*$`)
)

// changedKey reads what ssh says of a key that is not the known one.
func changedKey(messages string) HostKey {
	var k HostKey
	if m := keyName.FindStringSubmatch(messages); m != nil {
		k.Name = m[1]
	}
	if m := keyFingerprint.FindStringSubmatch(messages); m != nil {
		k.Type, k.Fingerprint = m[1], m[2]
	}
	if m := keyOffending.FindStringSubmatch(messages); m != nil {
		k.File = m[2]
		k.Line, _ = strconv.Atoi(m[3])
	}
	return k
}

// hint says what to do about a changed key: never to take it without a look.
func (k HostKey) hint() string {
	if k.File == "" {
		return ""
	}
	name := k.Name
	if name == "" {
		name = "HOST"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, line %d, has another key for it", k.File, k.Line)
	if k.Fingerprint != "" {
		fmt.Fprintf(&b, "; it now offers %s", k.Fingerprint)
	}
	b.WriteString(". Unless you know that it was reinstalled or given a new key, do not connect: somebody may be in between. " +
		"Compare the fingerprint on its console")
	if t := strings.ToLower(k.Type); isWord(t, "") {
		fmt.Fprintf(&b, " (`ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub`)", t)
	}
	if strings.HasPrefix(k.File, "/etc/") {
		b.WriteString("; if it is the same, correct that line where the file comes from (on NixOS, programs.ssh.knownHosts)")
	} else {
		fmt.Fprintf(&b, "; if it is the same, remove the old entry: `ssh-keygen -R %s -f %s`", Quote(name), Quote(k.File))
	}
	return b.String()
}
