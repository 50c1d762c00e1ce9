package nixcmd

import "testing"

func TestStrange(t *testing.T) {
	for message, want := range map[string]string{
		`opening Git repository "/root/fleet": repository path '/root/fleet' is not owned by current user`: "/root/fleet",
		"fatal: detected dubious ownership in repository at '/tmp/it's'\nTo add":                           "/tmp/it's",
		"path '/x' does not exist": "",
	} {
		if got, ok := strange(message); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", message, got, ok)
		}
	}
}

// Whose repository it is chose its name, and what to do is copied into a shell.
func TestTrustIsQuoted(t *testing.T) {
	if got, want := trust("/tmp/a'; b #"), `if you trust it: git config --global --add safe.directory '/tmp/a'\''; b #'`; got != want {
		t.Error(got)
	}
}
