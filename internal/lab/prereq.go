package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// MissingError says which packages this machine lacks and how to get them.
type MissingError struct {
	// Packages are Debian packages; never empty.
	Packages []string
	// Err is why they could not be installed automatically; never nil.
	Err error
}

// Error names the packages and the reason.
func (e *MissingError) Error() string {
	return "missing packages: " + strings.Join(e.Packages, " ") + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *MissingError) Unwrap() error { return e.Err }

// Hint is the command to run.
func (e *MissingError) Hint() string {
	return "run: apt-get update && apt-get install -y " + strings.Join(e.Packages, " ") +
		" (as root, on Debian or a relative of it)"
}

// need is a file whose presence shows that a package is there.
type need struct{ what, pkg string }

func needs() []need {
	return []need{
		{"mmdebstrap", "mmdebstrap"},
		{"systemd-nspawn", "systemd-container"},
		{"ip", "iproute2"},
		{"tc", "iproute2"},
		{"ssh-keygen", "openssh-client"},
		{"nsenter", "util-linux"},
		{"setsid", "util-linux"},
		{"mount", "mount"},
		{"mkfs.ext4", "e2fsprogs"},
		{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
	}
}

func (l *Lab) prerequisites(ctx context.Context) error {
	var missing []string
	for _, n := range needs() {
		var err error
		if filepath.IsAbs(n.what) {
			_, err = os.Stat(n.what)
		} else {
			_, err = toolPath(n.what)
		}
		if err != nil && !slices.Contains(missing, n.pkg) {
			missing = append(missing, n.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return Install(ctx, l.log, missing...)
}

// Install installs Debian packages that this machine lacks, with one log line
// saying so, and does nothing if it has them all. It waits for a package
// manager that is at work. log may be nil. If it cannot, being without root or
// without apt-get, or since apt-get failed, the error is a *MissingError.
func Install(ctx context.Context, log func(string), packages ...string) error {
	missing, err := notInstalled(ctx, packages)
	if err != nil {
		return &MissingError{Packages: packages, Err: err}
	}
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return &MissingError{Packages: missing, Err: fmt.Errorf("installing them needs root")}
	}
	if log != nil {
		log("installing what this machine lacks: " + strings.Join(missing, " "))
	}
	if err := aptInstall(ctx, missing); err == nil || ctx.Err() != nil {
		return err
	}
	// The package lists may be old or absent.
	if err := aptGet(ctx, "update"); err != nil {
		return &MissingError{Packages: missing, Err: err}
	}
	if err := aptInstall(ctx, missing); err != nil {
		return &MissingError{Packages: missing, Err: err}
	}
	return nil
}

func notInstalled(ctx context.Context, packages []string) ([]string, error) {
	if len(packages) == 0 {
		return nil, nil
	}
	// Exit code 1 is for packages never heard of (dpkg-query(1)).
	res, err := tool(ctx, proc.Cmd{Argv: append([]string{"dpkg-query", "--show",
		"--showformat=${binary:Package} ${db:Status-Status}\n", "--"}, packages...)})
	if err != nil && res.Code != 1 {
		return nil, err
	}
	installed := make(map[string]bool)
	for line := range bytes.Lines(res.Stdout) {
		name, status, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		name, _, _ = strings.Cut(name, ":") // architecture
		installed[name] = installed[name] || status == "installed"
	}
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool { return installed[p] }), nil
}

func aptInstall(ctx context.Context, packages []string) error {
	return aptGet(ctx, append([]string{"install", "--yes", "--no-install-recommends", "--"}, packages...)...)
}

func aptGet(ctx context.Context, args ...string) error {
	_, err := tool(ctx, proc.Cmd{
		Argv: append([]string{"apt-get", "--quiet", "--option=DPkg::Lock::Timeout=300"}, args...),
		Env:  []string{"DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a"},
	})
	return err
}
