package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// file is one that a machine gets before its first boot. Its directory is made
// if missing, with mode 0700 if the file is private.
type file struct {
	path    string // relative to the machine's root
	content string
	mode    os.FileMode
	user    string // empty means root
}

// writeFiles makes of the image's copy the one machine it is to be, once: what
// its users change later is theirs.
func (l *Lab) writeFiles(machine string) error {
	done := l.path.machine(machine, "made")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	files, err := l.machineFiles(machine)
	if err != nil {
		return err
	}
	// Confined to the root: links in it lead to where they would lead the
	// machine, and not out of it.
	root, err := os.OpenRoot(l.path.machine(machine, "root"))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a directory handle
	users, err := readUsers(root)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := f.write(root, users); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	return os.WriteFile(done, nil, 0o600)
}

func (l *Lab) machineFiles(machine string) ([]file, error) {
	client, err := l.publicKey(clientKey)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256([]byte(l.path.name(machine)))
	files := []file{
		{path: "etc/hostname", content: machine + "\n", mode: 0o644},
		{path: "etc/hosts", content: hostsFile(machine), mode: 0o644},
		{path: "etc/machine-id", content: hex.EncodeToString(id[:16]) + "\n", mode: 0o444},
	}
	if machine != compat {
		private, err := os.ReadFile(filepath.Join(l.path.keys(), hostKey(machine)))
		if err != nil {
			return nil, err
		}
		public, err := l.publicKey(hostKey(machine))
		if err != nil {
			return nil, err
		}
		files = append(files,
			file{path: "etc/ssh/ssh_host_ed25519_key", content: string(private), mode: 0o600},
			file{path: "etc/ssh/ssh_host_ed25519_key.pub", content: public + "\n", mode: 0o644},
			file{path: "root/.ssh/authorized_keys", content: client + "\n", mode: 0o600},
		)
		for _, user := range []string{"deploy", "guest"} {
			files = append(files, file{path: "home/" + user + "/.ssh/authorized_keys", content: client + "\n", mode: 0o600, user: user})
		}
	}
	if machine == Control || machine == compat {
		files = append(files, file{path: "root/.gitconfig", content: gitConfig, mode: 0o644})
	}
	if machine == Control {
		private, err := os.ReadFile(filepath.Join(l.path.keys(), clientKey))
		if err != nil {
			return nil, err
		}
		known, err := l.knownHosts()
		if err != nil {
			return nil, err
		}
		files = append(files,
			file{path: "root/.ssh/id_ed25519", content: string(private), mode: 0o600},
			file{path: "root/.ssh/id_ed25519.pub", content: client + "\n", mode: 0o600},
			file{path: "root/.ssh/known_hosts", content: known, mode: 0o600},
		)
	}
	return files, nil
}

const gitConfig = `[user]
	name = Flotilla's lab
	email = root@control.invalid
[init]
	defaultBranch = main
`

// hostsFile names every machine: there is no name server.
func hostsFile(self string) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, machine := range Machines() {
		b.WriteString(Address(machine) + " " + machine + "\n")
	}
	if Address(self) == "" {
		b.WriteString("127.0.1.1 " + self + "\n")
	}
	return b.String()
}

type owner struct{ uid, gid int }

func (f file) write(root *os.Root, users map[string]owner) error {
	who, ok := users[f.user]
	if f.user != "" && !ok {
		return errors.New("no such user: " + f.user)
	}
	dir := path.Dir(f.path)
	if _, err := root.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		mode := os.FileMode(0o755)
		if f.mode&0o077 == 0 {
			mode = 0o700
		}
		if err := root.MkdirAll(dir, mode); err != nil {
			return err
		}
		if err := root.Chown(dir, who.uid, who.gid); err != nil {
			return err
		}
	}
	if err := root.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.WriteFile(f.path, []byte(f.content), f.mode); err != nil {
		return err
	}
	return errors.Join(root.Chmod(f.path, f.mode), root.Chown(f.path, who.uid, who.gid))
}

// readUsers reads passwd(5); the empty name stands for root.
func readUsers(root *os.Root) (map[string]owner, error) {
	data, err := root.ReadFile("etc/passwd")
	if err != nil {
		return nil, err
	}
	users := map[string]owner{"": {}}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 {
			continue
		}
		uid, errUID := strconv.Atoi(fields[2])
		gid, errGID := strconv.Atoi(fields[3])
		if errUID == nil && errGID == nil {
			users[fields[0]] = owner{uid, gid}
		}
	}
	return users, nil
}
