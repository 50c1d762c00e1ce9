package nixcmd

import (
	"strings"
	"testing"
)

func TestCopyURL(t *testing.T) {
	for _, c := range []struct{ user, host, want string }{
		{"", "web", "ssh-ng://web?max-connections=1"},
		{"root", "web.example.org", "ssh-ng://root@web.example.org?max-connections=1"},
		{"root", "10.77.0.2", "ssh-ng://root@10.77.0.2?max-connections=1"},
		{"root", "fd00::1", "ssh-ng://root@[fd00::1]?max-connections=1"},
		{"", "[fd00::1]", "ssh-ng://[fd00::1]?max-connections=1"},
	} {
		got := CopyURL(c.user, c.host)
		if got != c.want {
			t.Errorf("%q", got)
		}
		if again, err := storeURL(got); err != nil || again != got {
			t.Errorf("%q: %q, %v", got, again, err)
		}
	}
	for _, c := range [][2]string{{"", ""}, {"", "-oProxyCommand=x"}, {"-l", "web"}, {"a b", "web"}, {"", "we b"}, {"", "$(id)"}, {"x;y", "web"}, {"", "web?remote-program=x"}, {"", "a/b"}} {
		if got, err := storeURL(CopyURL(c[0], c[1])); err == nil && !strings.Contains(c[1], "?") {
			t.Errorf("%q gave %q", c, got)
		}
	}
}

func TestStoreURL(t *testing.T) {
	for in, want := range map[string]string{
		"ssh-ng://web":                         "ssh-ng://web?max-connections=1",
		"ssh://me@web:22":                      "ssh://me@web:22?max-connections=1",
		"ssh-ng://web?compress=true":           "ssh-ng://web?compress=true&max-connections=1",
		"ssh-ng://web?max-connections=4":       "ssh-ng://web?max-connections=4",
		"ssh-ng://root@[fe80::1%eth0]:2222":    "ssh-ng://root@[fe80::1%eth0]:2222?max-connections=1",
		"file:///var/cache":                    "file:///var/cache",
		"https://cache.example.org?priority=1": "https://cache.example.org?priority=1",
		"local?root=/mnt":                      "local?root=/mnt",
	} {
		if got, err := storeURL(in); err != nil || got != want {
			t.Errorf("%q gave %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "-x", "ssh://", "ssh-ng://@web", "ssh-ng://root@", "ssh://we b", "ssh://web\n", "ssh://[::1", "ssh://[::1]x", "ssh://web?%zz"} {
		if got, err := storeURL(bad); err == nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}

func TestMarked(t *testing.T) {
	for _, c := range []struct{ url, mark, want string }{
		{"ssh-ng://web?max-connections=1", "A1b", "ssh-ng://web?max-connections=1&remote-program=env%20FLOTILLA_COPY%3DA1b%20nix-daemon"},
		{"ssh-ng://web?max-connections=1&remote-program=x", "a", "ssh-ng://web?max-connections=1&remote-program=x"},
		{"file:///cache", "a", "file:///cache"},
	} {
		if got, err := marked(c.url, c.mark); err != nil || got != c.want {
			t.Errorf("%q gave %q, %v", c.url, got, err)
		}
	}
	for _, bad := range []string{"a b", "a&b", "$(id)", "é"} {
		if got, err := marked("ssh-ng://web?max-connections=1", bad); err == nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}
