package fleet

import (
	"path/filepath"
	"testing"
)

// The shipped example loads, its checks are for the hosts that the guide says, and
// its rollout takes the DNS server last.
func TestHomelabExample(t *testing.T) {
	inv, err := Load(filepath.Join("..", "examples", "homelab"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"p620": "ssh cache", "razer": "ssh", "p510": "ssh", "dex5550": "ssh dns grafana prometheus"} {
		h, ok := inv.Host(name)
		got := ""
		for _, c := range inv.Health.of(h) {
			got += c.Name + " "
		}
		if !ok || got != want+" " {
			t.Errorf("%s has the checks %q, want %q", name, got, want)
		}
	}
	got := ""
	for _, w := range inv.Rollout.Plan(inv.Hosts) {
		got += hostNames(w) + "; "
	}
	if got != "p510; p620, razer; dex5550; " {
		t.Errorf("waves: %s", got)
	}
}
