package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/sshpool"
)

// fakeSudo reads a password, a byte at a time, as often as sudo does; without
// "wants" in its directory it reads none. It talks on both streams.
const fakeSudo = `#!/bin/sh
here=${0%/*}
printf '%s\n' "$@" >"$here/argv"
env >"$here/env"
for end in -k -S -p '' --; do
  [ "$1" = "$end" ] || { echo "bad usage: $*" >&2; exit 9; }
  shift
done
echo "We trust you have received the usual lecture." >&2
printf 'end ok\nPassword will expire' # as a PAM module may, without a line feed
if [ -e "$here/wants" ]; then
  tries=0
  until IFS= read -r password && [ "$password" = "$(cat "$here/wants")" ]; do
    [ -n "$password" ] || { echo "sudo: no password was provided" >&2; exit 1; }
    tries=$((tries + 1))
    echo "$tries" >"$here/tries"
    [ "$tries" -lt 3 ] || { echo "sudo: 3 incorrect password attempts" >&2; exit 1; }
    echo "Sorry, try again." >&2
  done
fi
exec "$@"
`

// withSudo is a host whose sudo is the fake one; wants is the right password, "" if
// it wants none.
func withSudo(t interface {
	Helper()
	Fatal(...any)
}, dir, wants string) sessionFunc {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte(fakeSudo), 0o700); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, "wants"))
	_ = os.Remove(filepath.Join(dir, "tries"))
	if wants != "" {
		if err := os.WriteFile(filepath.Join(dir, "wants"), []byte(wants), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(ctx context.Context, c sshpool.Cmd) (sshpool.Result, error) {
		res, err := proc.Run(ctx, proc.Cmd{Argv: c.Argv, Stdin: c.Stdin, Stdout: c.Stdout, Env: proc.Environ("PATH=" + dir + ":/usr/bin:/bin")})
		var pe *proc.Error
		if errors.As(err, &pe) && pe.Err == nil {
			err = &sshpool.ExitError{Argv: c.Argv, Code: res.Code, Stderr: string(res.Stderr)}
		}
		return sshpool.Result{Stdout: res.Stdout, Stderr: res.Stderr}, err
	}
}

func password(t interface {
	Helper()
	Fatal(...any)
}, text string) Password {
	t.Helper()
	p, err := NewPassword(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever password, script and arguments: the script gets its arguments and an empty
// standard input, and is all that runs, whether sudo wants the password or not. A
// password that is a command is run by nobody.
func TestRunWithPassword(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"echo owned", "$(echo owned)", "; echo owned", " leading and trailing ", `back\slash\n`, "-n", "'\"`", "%s%d", "}", "\xff\xfe", "pass\tword"}).Draw(t, "password")
		if rapid.Bool().Draw(t, "random") {
			text = rapid.StringMatching(`[^\n\x00]{1,200}`).Draw(t, "text")
		}
		if text == "" || len(text) > 1023 {
			t.Skip()
		}
		// Without carriage returns, which lines lose at their ends.
		args := rapid.SliceOfN(rapid.StringMatching(`[^\x00\r]{0,20}`), 0, 12).Draw(t, "args")
		wants := ""
		if rapid.Bool().Draw(t, "wants") {
			wants = text
		}
		script := `for a; do printf '<%s>' "$a"; done; echo; cat; echo end ok`
		if rapid.Bool().Draw(t, "long") {
			script += "\n# " + strings.Repeat("x", 200_000)
		}
		var lines []string
		res, err := runWithPassword(context.Background(), withSudo(t, dir, wants), password(t, text), func(l string) { lines = append(lines, l) }, script, args...)
		want := ""
		for _, a := range args {
			want += "<" + a + ">"
		}
		want += "\nend ok\n"
		if err != nil || string(res.Stdout) != want || strings.Join(lines, "\n")+"\n" != want {
			t.Fatalf("password %q, args %q: %q, %v (%q)\nwant %q", text, args, res.Stdout, err, res.Stderr, want)
		}
	})
}

// While the script runs no process has the password among its arguments or in its
// environment, and sudo is not told it by either.
func TestPasswordIsNotToBeSeen(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("needs /proc")
	}
	dir := t.TempDir()
	const secret = "s3cret-Flotilla"
	pattern := filepath.Join(dir, "pattern")
	if err := os.WriteFile(pattern, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "grep -alF -f '" + pattern + "' /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; echo end ok"
	for _, wants := range []string{secret, ""} {
		res, err := runWithPassword(t.Context(), withSudo(t, dir, wants), password(t, secret), nil, script)
		if err != nil || string(res.Stdout) != "end ok\n" {
			t.Errorf("%s%v", res.Stdout, err)
		}
		for _, name := range []string{"argv", "env"} {
			if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || strings.Contains(string(text), secret) {
				t.Errorf("sudo's %s: %s, %v", name, text, err)
			}
		}
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", password(t, secret), password(t, secret), password(t, secret), password(t, secret), password(t, secret)),
		fmt.Sprintf("%v %+v %#v", Config{}, given{password: password(t, secret)}, struct{ P Password }{password(t, secret)})} {
		if strings.Contains(text, secret) {
			t.Errorf("formatted: %s", text)
		}
	}
	if text, err := json.Marshal(struct{ P Password }{password(t, secret)}); err != nil || strings.Contains(string(text), secret) {
		t.Errorf("encoded: %s, %v", text, err)
	}
}

// A wrong password is tried once, and the script is not taken for more of them.
func TestWrongPassword(t *testing.T) {
	dir := t.TempDir()
	run := withSudo(t, dir, "right")
	res, err := runWithPassword(t.Context(), run, password(t, "wrong"), nil, "echo ran")
	var exit *sshpool.ExitError
	if !errors.Is(err, ErrPasswordRefused) || !errors.As(err, &exit) || len(res.Stdout) != 0 {
		t.Fatalf("%q, %v", res.Stdout, err)
	}
	if !strings.Contains(err.Error(), "no password was provided") {
		t.Errorf("%v", err)
	}
	if tries, _ := os.ReadFile(filepath.Join(dir, "tries")); string(tries) != "1\n" {
		t.Errorf("tried %q times", tries)
	}
	// A script of which sudo ran all says itself what came of it.
	if _, err := runWithPassword(t.Context(), run, password(t, "right"), nil, "exit 7"); errors.Is(err, ErrPasswordRefused) || !errors.As(err, &exit) || exit.Code != 7 {
		t.Errorf("%v", err)
	}
	// A connection that ends within the password does not have half of it tried.
	_ = os.Remove(filepath.Join(dir, "tries"))
	if _, err := run(t.Context(), sshpool.Cmd{Argv: []string{"sh", "-c", sudoScript, "sh"}, Stdin: strings.NewReader("righ")}); err == nil {
		t.Error("half a password was taken")
	}
	if _, err := os.Stat(filepath.Join(dir, "tries")); err == nil {
		t.Error("half a password was tried")
	}
}

func TestNewPassword(t *testing.T) {
	for _, text := range []string{"", "a\nb", "a\n", "a\x00", strings.Repeat("x", 1024)} {
		if _, err := NewPassword(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// Of many hosts with the same password one tries it; the others wait, and if it is
// wrong none of them tries it as well. Another password is another matter.
func TestPasswordIsTriedOnOneHost(t *testing.T) {
	for _, right := range []bool{true, false} {
		var p passwords
		var tried []string
		attempt := func(name string) func() error {
			return func() error {
				tried = append(tried, name) // under the turn
				if right {
					return nil
				}
				return &refusedError{exit: &sshpool.ExitError{Code: 1, Stderr: "sudo: 1 incorrect password attempt"}}
			}
		}
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() { errs <- p.try(t.Context(), Host{Name: fmt.Sprint(i)}, password(t, "same"), attempt("same")) }()
		}
		var others int
		for range cap(errs) {
			err := <-errs
			if (err == nil) != right || errors.Is(err, ErrPasswordRefused) == right {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "was not tried") {
				others++
			}
		}
		if want := map[bool]int{true: 0, false: cap(errs) - 1}[right]; others != want {
			t.Errorf("%d were told of another host, want %d", others, want)
		}
		if err := p.try(t.Context(), Host{Name: "x"}, password(t, "other"), attempt("other")); (err == nil) != right {
			t.Errorf("%v", err)
		}
		if !slices.Equal(tried, []string{"same", "other"}) {
			t.Errorf("tried %q", tried)
		}
	}
	// A connection that fails says nothing of the password.
	var p passwords
	lost := &sshpool.Error{Kind: sshpool.KindLost}
	if err := p.try(t.Context(), Host{Name: "a"}, password(t, "x"), func() error { return lost }); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	if err := p.try(t.Context(), Host{Name: "b"}, password(t, "x"), func() error { return nil }); err != nil {
		t.Errorf("%v", err)
	}
}
