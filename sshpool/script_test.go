package sshpool

import (
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Whatever a script and its arguments are, the remote sh has them as they were, by way of any
// log-in shell that is here.
func TestScriptAsAnArgument(t *testing.T) {
	var shells []string
	for _, shell := range []string{"sh", "dash", "bash", "zsh", "fish", "tcsh"} {
		if path, err := exec.LookPath(shell); err == nil {
			shells = append(shells, path)
		}
	}
	t.Log(shells)
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringMatching(`[^\x00]{0,60}`).Draw(r, "text")
		// A here-document's lines are taken as they are, up to its end.
		script := "cat <<'the end'\n" + text + "\nthe end\nprintf %s \"$1$#\""
		if strings.Contains(text, "the end") {
			r.Skip()
		}
		cmd := Cmd{Script: script, Argv: []string{"one"}}
		if cmd.stdin() != nil {
			r.Fatal("it is sent over standard input")
		}
		for _, shell := range shells {
			res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{shell, "-c", Quote(cmd.argv()...)}})
			if want := text + "\none1"; err != nil || string(res.Stdout) != want {
				r.Fatalf("%s: %v: %q, want %q: %s", shell, err, res.Stdout, want, res.Stderr)
			}
		}
	})
}

// What an error shows is the command that was run, without pages of script.
func TestErrorsShowNoScript(t *testing.T) {
	for want, cmd := range map[string]Cmd{
		"sh -s -- 'a b'": {Script: "echo\necho", Argv: []string{"a b"}},
		"echo 'a b'":     {Argv: []string{"echo", "a b"}},
	} {
		r := run{cmd: cmd, argv: sessionArgs(Config{Program: "ssh"}, Target{Host: "h"}, "/s", "/l", Quote(cmd.argv()...))}
		if got := r.shown(); got[0] != "ssh" || len(got) != len(r.argv) || got[len(got)-1] != want {
			t.Errorf("%q", got)
		}
	}
}
