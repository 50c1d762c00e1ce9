package sshpool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChangedKeyIsExplained(t *testing.T) {
	files, err := filepath.Glob("testdata/openssh-*/changed-key-changed*.txt")
	if err != nil || len(files) < 6 {
		t.Fatalf("fixtures: %v", files)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		k := changedKey(strings.ReplaceAll(string(text), "\n", "\r\n"))
		hint := k.hint()
		if k.Type != "ED25519" || k.Line != 1 || !strings.HasPrefix(k.File, "/tmp/") || !strings.HasPrefix(k.Fingerprint, "SHA256:") || len(k.Fingerprint) != 50 ||
			!strings.HasPrefix(k.Name, "[127.0.0.1]:") {
			t.Errorf("%s: %+v", f, k)
		}
		for _, want := range []string{k.File + ", line 1,", k.Fingerprint, "ssh_host_ed25519_key.pub", "ssh-keygen -R '" + k.Name + "' -f " + k.File} {
			if !strings.Contains(hint, want) {
				t.Errorf("%s: %q is not in %q", f, want, hint)
			}
		}
	}
}

// What the hint tells to run must do what it says, to that key alone.
func TestChangedKeyHintIsRight(t *testing.T) {
	s, other := startSSHD(t), startSSHD(t)
	s.write("wrong", "# mine\nelsewhere "+other.read("host.pub")+"[127.0.0.1]:"+itoa(s.port)+" "+other.read("host.pub"))
	p := s.pool(Config{ConfigFile: s.with("UserKnownHostsFile " + s.path("wrong"))})
	_, err := p.Connect(t.Context(), s.target())
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindHostKeyChanged || e.HostKey.File != s.path("wrong") || e.HostKey.Line != 3 {
		t.Fatalf("%v %+v", err, e)
	}
	_, command, _ := strings.Cut(e.Hint, "the old entry: `")
	localRun(t, []string{"sh", "-c", strings.TrimSuffix(command, "`")})
	if left := s.read("wrong"); left != "# mine\nelsewhere "+other.read("host.pub") {
		t.Errorf("left: %q", left)
	}
}

func TestChangedKeyOfTheMachine(t *testing.T) {
	hint := HostKey{Name: "p620", File: "/etc/ssh/ssh_known_hosts", Line: 2}.hint()
	if !strings.Contains(hint, "programs.ssh.knownHosts") || strings.Contains(hint, "ssh-keygen -R") {
		t.Error(hint)
	}
}

func FuzzChangedKey(f *testing.F) {
	f.Add("Offending ED25519 key in /x:99999999999999999999\r\nThe fingerprint for the  key sent by the remote host is\n")
	f.Fuzz(func(t *testing.T, text string) { _ = changedKey(text).hint() })
}
