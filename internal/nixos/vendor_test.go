package nixos

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// package.nix has the hash of what Nix will download: of `go mod vendor`, as a Nix
// archive (Nix manual, "Nix Archive (NAR)").
func TestVendorHash(t *testing.T) {
	if testing.Short() {
		t.Skip("copies all modules: not with -short")
	}
	vendor := filepath.Join(t.TempDir(), "vendor")
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"go", "mod", "vendor", "-o", vendor}, Dir: "../.."}); err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	a := archive{t, hash}
	a.text("nix-archive-1")
	a.node(vendor)
	want := "sha256-" + base64.StdEncoding.EncodeToString(hash.Sum(nil))

	text, err := os.ReadFile("package.nix")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`vendorHash = "(.*)";`).FindSubmatch(text)
	if got == nil || string(got[1]) != want {
		t.Errorf("go.mod has changed: write vendorHash = %q into package.nix", want)
	}
}

// archive writes Nix archives of directories and files.
type archive struct {
	t  *testing.T
	to io.Writer
}

func (a archive) write(b []byte) {
	if _, err := a.to.Write(b); err != nil {
		a.t.Fatal(err)
	}
}

func (a archive) text(parts ...string) {
	for _, s := range parts {
		a.write(binary.LittleEndian.AppendUint64(nil, uint64(len(s))))
		a.write([]byte(s))
		a.write(make([]byte, (8-len(s)%8)%8))
	}
}

func (a archive) node(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		a.t.Fatal(err)
	}
	switch {
	case info.IsDir():
		entries, err := os.ReadDir(path) // sorted by name, as they must be
		if err != nil {
			a.t.Fatal(err)
		}
		a.text("(", "type", "directory")
		for _, e := range entries {
			a.text("entry", "(", "name", e.Name(), "node")
			a.node(filepath.Join(path, e.Name()))
			a.text(")")
		}
		a.text(")")
	case info.Mode().IsRegular():
		text, err := os.ReadFile(path)
		if err != nil {
			a.t.Fatal(err)
		}
		a.text("(", "type", "regular")
		if info.Mode()&0o100 != 0 {
			a.text("executable", "")
		}
		a.text("contents", string(text), ")")
	default:
		a.t.Fatalf("%s is neither a directory nor a file", path)
	}
}
