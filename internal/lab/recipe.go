package lab

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed base.sh
var baseScript string

// provisionDir is where an image keeps what it is provisioned from.
const provisionDir = "/usr/share/flotilla-lab"

// recipe says what an image is made of: packages and base.sh, and on top of
// that, if provision is set, the lab's files and what their provision.sh does.
// Of the first part an image is kept as well, since it takes longest to build
// and changes least.
type recipe struct {
	suite    string
	packages []string
	// expired accepts a package index past its date: that of a suite in motion
	// runs out within days on a mirror that stands still.
	expired   bool
	provision bool
	// unpack, if not empty, wants of the packages these files only (path/filepath.Match),
	// and nothing installed.
	unpack []string
}

// base is the recipe of the first part.
func (r recipe) base() recipe {
	r.provision = false
	return r
}

func packages() []string {
	return []string{"nix-bin", "nix-setup-systemd", "openssh-server", "openssh-client", "systemd", "systemd-sysv",
		"dbus", "iproute2", "git", "ca-certificates", "sudo"}
}

// booted is the recipe of the machines: Nix 2.26, systemd 257. A systemd much
// newer does not run on the version 1 control groups that some hosts have.
func booted() recipe {
	// The other ways of becoming root (run0 asks polkit), and a web server for binary
	// caches, which takes uploads.
	return recipe{suite: "trixie", packages: append(packages(), "opendoas", "polkitd", "nginx"), provision: true}
}

// newer is the recipe for Compat, with the Nix of Debian's next release.
func newer() recipe { return recipe{suite: "forky", packages: packages(), expired: true} }

// name changes with everything that the image's content depends on, but for
// what Debian publishes.
func (r recipe) name(files fs.FS) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q\n", r.suite, r.packages, baseScript, r.bootstrapOptions())
	if len(r.unpack) > 0 {
		fmt.Fprintf(h, "%q\n", r.unpack)
		return r.suite + "-unpacked-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
	}
	if !r.provision {
		return r.suite + "-base-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
	}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %q\n", path, data)
		return nil
	})
	if err != nil {
		return "", err
	}
	return r.suite + "-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// bootstrapOptions leave out what no machine of the lab reads, and the syncing
// of a file system that is thrown away if the build does not complete.
func (r recipe) bootstrapOptions() []string {
	variant := "apt"
	if len(r.unpack) > 0 {
		variant = "extract"
	}
	options := []string{"--mode=root", "--variant=" + variant, "--format=directory",
		"--dpkgopt=force-unsafe-io",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	if r.expired {
		options = append(options, `--aptopt=Acquire::Check-Valid-Until "false"`)
	}
	return options
}

// sourceLine is the sources.list(5) entry of a suite.
func (r recipe) sourceLine(mirror string) string {
	return strings.Join([]string{"deb", "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]",
		mirror, r.suite, "main"}, " ") + "\n"
}
