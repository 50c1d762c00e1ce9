package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where roots cannot be made, one that leads to the system need not be.
func TestRootThatCannotBeMade(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	const built, other = "/nix/store/00000000000000000000000000000000-a", "/nix/store/11111111111111111111111111111111-a"
	f, hosts := fleetOf(t, &world{}, "[hosts.a]\n")
	link, err := f.newRoot(hosts[0], built)
	if err != nil || link == "" {
		t.Fatalf("%q, %v", link, err)
	}
	if err := os.Symlink(built, link); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(link)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if link, err := f.newRoot(hosts[0], built); link != "" || err != nil {
		t.Errorf("%q, %v", link, err)
	}
	if _, err := f.newRoot(hosts[0], other); err == nil || !strings.Contains(err.Error(), "cannot keep the built system") {
		t.Errorf("%v", err)
	}
}
