package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// theLab is the one lab of this package's tests, booted when the first of them
// asks for it.
var theLab struct {
	once sync.Once
	lab  *lab.Lab
	err  error
}

func labConfig() (lab.Config, error) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		return lab.Config{}, err
	}
	sum := sha256.Sum256([]byte(repo))
	return lab.Config{
		Name: "e2e-" + hex.EncodeToString(sum[:4]), Repo: repo, Flotilla: flotilla,
		Log: func(line string) { os.Stderr.WriteString("lab: " + line + "\n") },
	}, nil
}

// inLab returns the booted lab, or skips the test where there cannot be one.
func inLab(t *testing.T) *machine {
	t.Helper()
	if testing.Short() {
		t.Skip("boots real hosts: not with -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("boots real hosts, which needs root")
	}
	theLab.once.Do(func() {
		var c lab.Config
		if c, theLab.err = labConfig(); theLab.err == nil {
			if theLab.err = lab.Down(context.Background(), c, lab.DownOptions{KeepImage: true}); theLab.err == nil {
				theLab.lab, theLab.err = lab.Up(context.Background(), c)
			}
		}
	})
	if theLab.err != nil {
		t.Fatalf("the lab does not boot: %v", theLab.err)
	}
	return &machine{t: t, Lab: theLab.lab}
}

func labDown() error {
	if theLab.lab == nil {
		return nil
	}
	c, err := labConfig()
	if err != nil {
		return err
	}
	return lab.Down(context.Background(), c, lab.DownOptions{KeepImage: true})
}

// machine is the lab as the tests use it.
type machine struct {
	*lab.Lab
	t *testing.T
}

// outcome is what a command did.
type outcome struct {
	t              *testing.T
	line           string
	code           int
	stdout, stderr string
}

// run runs a shell command in control, in the fleet's checkout.
func (m *machine) run(line string) outcome {
	m.t.Helper()
	return m.runOn(lab.Control, line)
}

// runOn runs a shell command on a host, not through its network.
func (m *machine) runOn(host, line string) outcome {
	m.t.Helper()
	res, err := m.Exec(context.Background(), lab.ExecOptions{Host: host, Argv: []string{"/bin/sh", "-c", line}})
	var pe *proc.Error
	if err != nil && (!errors.As(err, &pe) || pe.Code < 0) {
		m.t.Fatalf("%s: %s: %v", host, line, err)
	}
	return outcome{t: m.t, line: line, code: res.Code, stdout: string(res.Stdout), stderr: string(res.Stderr)}
}

// newer is run with Nix 2.34.
func (m *machine) newer(line string) outcome {
	m.t.Helper()
	res, err := m.Compat(m.t.Context(), lab.ExecOptions{Argv: []string{"/bin/sh", "-c", line}})
	if err != nil && res.Code < 0 {
		m.t.Fatal(err)
	}
	return outcome{t: m.t, line: line, code: res.Code, stdout: string(res.Stdout), stderr: string(res.Stderr)}
}

// must is run for commands that only prepare something.
func (m *machine) must(host, line string) string {
	m.t.Helper()
	o := m.runOn(host, line)
	if o.code != 0 {
		m.t.Fatalf("%s: %s: exit code %d\n%s%s", host, line, o.code, o.stdout, o.stderr)
	}
	return strings.TrimSpace(o.stdout)
}

// place makes a program of control's.
func (m *machine) place(file string, program []byte) {
	m.t.Helper()
	if _, err := m.Exec(context.Background(), lab.ExecOptions{Host: lab.Control, Stdin: bytes.NewReader(program),
		Argv: []string{"/bin/sh", "-c", "mkdir -p \"$(dirname \"$0\")\" && cat >\"$0\" && chmod 755 \"$0\"", file}}); err != nil {
		m.t.Fatalf("%s: %v", file, err)
	}
}

// exits wants an exit code, and shows everything if it is another.
func (o outcome) exits(code int) outcome {
	o.t.Helper()
	if o.code != code {
		o.t.Fatalf("%s: exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", o.line, o.code, code, o.stdout, o.stderr)
	}
	for _, never := range []string{"panic:", "goroutine ", "exit status "} {
		if strings.Contains(o.stderr, never) {
			o.t.Errorf("%s: stderr has %q:\n%s", o.line, never, o.stderr)
		}
	}
	return o
}

// says wants texts in the command's output, on either stream.
func (o outcome) says(texts ...string) outcome {
	o.t.Helper()
	for _, text := range texts {
		if !strings.Contains(o.stdout+o.stderr, text) {
			o.t.Errorf("%s: does not say %q\nstdout:\n%s\nstderr:\n%s", o.line, text, o.stdout, o.stderr)
		}
	}
	return o
}

// row wants a line of the table on standard output.
func (o outcome) row(host, outcome string) outcome {
	o.t.Helper()
	for line := range strings.Lines(o.stdout) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == host && f[1] == outcome {
			return o
		}
	}
	o.t.Errorf("%s: no row %q %q\nstdout:\n%s\nstderr:\n%s", o.line, host, outcome, o.stdout, o.stderr)
	return o
}

// systems is what a host runs and boots: the live system, the profile, and the
// boot loader's choice.
type systems struct{ current, profile, boot string }

func (m *machine) systems(host string) systems {
	m.t.Helper()
	lines := strings.Split(m.must(host, "readlink -f /run/current-system; readlink -f /nix/var/nix/profiles/system; cat /boot/flotilla-lab/default"), "\n")
	if len(lines) != 3 {
		m.t.Fatalf("%s: %q", host, lines)
	}
	return systems{lines[0], lines[1], lines[2]}
}

// settled wants a host to run and boot one and the same system, and returns it.
func (m *machine) settled(host string) string {
	m.t.Helper()
	s := m.systems(host)
	if s.current != s.profile || s.current != s.boot {
		m.t.Errorf("%s is between systems: %+v", host, s)
	}
	return s.current
}

// clean puts the fleet back to its last commit and every host back to that, at
// the end of a test.
func (m *machine) restoreAtEnd() {
	m.t.Helper()
	m.t.Cleanup(func() {
		if m.t.Failed() {
			m.t.Logf("left to the next test: %s", m.must(lab.Control, "git status --short"))
		}
		m.must(lab.Control, "git reset --quiet --hard && git clean -fdq")
	})
}
