package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// clientKey opens every machine for root, deploy and guest.
const clientKey = "client"

func hostKey(machine string) string { return "host-" + machine }

// ensureKeys makes the lab's key pairs, as far as there are none. They never
// leave the lab.
func (l *Lab) ensureKeys(ctx context.Context) error {
	if err := os.MkdirAll(l.path.keys(), 0o700); err != nil {
		return err
	}
	names := []string{clientKey}
	for _, machine := range Machines() {
		names = append(names, hostKey(machine))
	}
	return each(names, func(name string) error { return l.ensureKey(ctx, name) })
}

func (l *Lab) ensureKey(ctx context.Context, name string) error {
	private := filepath.Join(l.path.keys(), name)
	if _, err := os.Stat(private); err == nil {
		return nil
	}
	tmp := private + ".new"
	for _, stale := range []string{tmp, tmp + ".pub"} {
		if err := os.RemoveAll(stale); err != nil {
			return err
		}
	}
	err := run(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "flotilla-lab", "-f", tmp)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp+".pub", private+".pub"); err != nil {
		return err
	}
	return os.Rename(tmp, private)
}

func (l *Lab) publicKey(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(l.path.keys(), name+".pub"))
	return strings.TrimSpace(string(data)), err
}

// knownHosts lists every machine by name and address (sshd(8),
// SSH_KNOWN_HOSTS FILE FORMAT).
func (l *Lab) knownHosts() (string, error) {
	var b strings.Builder
	for _, machine := range Machines() {
		key, err := l.publicKey(hostKey(machine))
		if err != nil {
			return "", err
		}
		b.WriteString(machine + "," + Address(machine) + " " + key + "\n")
	}
	return b.String(), nil
}
