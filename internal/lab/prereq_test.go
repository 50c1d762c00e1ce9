package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func modeOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().String()
}

const asNobody = "FLOTILLA_TEST_AS_NOBODY"

// TestWithoutRoot runs this test binary again as a user without rights.
func TestWithoutRoot(t *testing.T) {
	if os.Getenv(asNobody) != "" {
		printErrorsOfNobody(t)
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestWithoutRoot$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), asNobody+"=1", "FLOTILLA_LAB_DIR=/nonexistent/lab")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"up: lab: up: containers need root (run it with sudo)",
		"down: lab: down: containers need root (run it with sudo)",
		"open: lab: open: containers need root (run it with sudo)",
		"install: missing packages: no-such-package-at-all: ",
		"apt-get install -y no-such-package-at-all",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing like %q in:\n%s", want, out)
		}
	}
}

func printErrorsOfNobody(t *testing.T) {
	ctx := context.Background()
	cfg := Config{Name: "nobodys"}
	show := func(op string, err error) {
		var hinted interface{ Hint() string }
		if !errors.As(err, &hinted) {
			t.Errorf("%s: %v has no hint", op, err)
			return
		}
		t.Logf("%s: %v (%s)", op, err, hinted.Hint())
	}
	_, err := Up(ctx, cfg)
	show("up", err)
	show("down", Down(ctx, cfg, DownOptions{}))
	_, err = Open(ctx, cfg)
	show("open", err)
	show("install", Install(ctx, nil, "no-such-package-at-all"))
}

func TestInstallOfWhatIsThereDoesNothing(t *testing.T) {
	if _, err := toolPath("dpkg-query"); err != nil {
		t.Skip("not a Debian machine: no dpkg-query")
	}
	log := func(line string) { t.Errorf("logged %q", line) }
	if err := Install(t.Context(), log, "dpkg", "coreutils"); err != nil {
		t.Error(err)
	}
}
