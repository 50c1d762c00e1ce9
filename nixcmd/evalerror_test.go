package nixcmd

import "testing"

func TestStrange(t *testing.T) {
	for message, want := range map[string]string{
		`opening Git repository "/root/fleet": repository path '/root/fleet' is not owned by current user`: "/root/fleet",
		"path '/x' does not exist": "",
	} {
		if got, ok := strange(message); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", message, got, ok)
		}
	}
}
