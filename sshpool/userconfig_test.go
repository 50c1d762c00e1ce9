package sshpool

import (
	"os/exec"
	"strings"
	"testing"
)

// The user's ssh_config says how to get there: an alias, a Match that runs a
// command, a certificate, an agent.
func TestUserConfigurationCounts(t *testing.T) {
	ca := startSSHD(t) // for its keys only
	s := startSSHD(t, "TrustedUserCAKeys "+ca.path("user.pub"))
	s.write("authorized", "")
	me := s.target().User
	if out, err := exec.Command("ssh-keygen", "-q", "-s", ca.path("user"), "-I", "me", "-n", me, s.path("user.pub")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	agent := exec.Command("ssh-agent", "-a", s.path("agent"), "-D")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	eventually(t, "the agent", func() bool {
		add := exec.Command("ssh-add", "-q", s.path("user"))
		add.Env = []string{"SSH_AUTH_SOCK=" + s.path("agent")}
		return add.Run() == nil
	})
	way := `Match originalhost box exec "test %r = ` + me + `"
	HostName 127.0.0.1
	Port ` + itoa(s.port)
	base := strings.ReplaceAll(s.read("ssh_config"), "IdentityFile "+s.path("user"), "IdentityFile none")
	base = strings.ReplaceAll(base, "IdentitiesOnly yes", "IdentitiesOnly no")
	for name, lines := range map[string]string{
		"certificate": way + "\n	IdentityFile " + s.path("user") + "\n	CertificateFile " + s.path("user-cert.pub"),
		"agent":       way + "\n	IdentityAgent " + s.path("agent"),
	} {
		s.write("ssh_config-"+name, lines+"\n"+base)
		before := s.logins()
		c, err := s.pool(Config{ConfigFile: s.path("ssh_config-" + name)}).Connect(t.Context(), Target{Host: "box", User: me})
		if err != nil {
			t.Errorf("%s: %v\n%+v", name, err, err)
			continue
		}
		output(t, c, Cmd{Argv: []string{"true"}})
		if s.logins() != before+1 {
			t.Errorf("%s: no log-in", name)
		}
	}
	if !strings.Contains(s.logged(), "ED25519-CERT") {
		t.Errorf("no certificate was used:\n%s", s.logged())
	}
}
