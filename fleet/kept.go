package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/nixflotilla/flotilla/sshpool"
)

// keptScript runs, as root, the script that an earlier call has left in the file $1, with
// the other arguments; else the one on standard input, which costs the round trip that the
// host needs to ask for it. The file is only ever there as a whole: see "leave" in unit.sh.
const keptScript = `kept=$1; shift; [ ! -r "$kept" ] || { self=; exec </dev/null; . "$kept"; exit; }; exec sh -s -- "$@"`

// keptUnit is the text of unit.sh as a host keeps it, with the guard's script in a function,
// since it is too long for an argument. It is no here-document: of those bash makes files
// in /tmp, which may be full.
func keptUnit() string {
	return "guard() {\nprintf %s " + quoted(terse(guardScript)) + "\n}\n" + terse(unitScript)
}

// keptFile is where. The name says which text it is, so that another version of this
// program leaves it alone.
func keptFile() string {
	sum := sha256.Sum256([]byte(keptUnit()))
	return "/run/flotilla/unit-" + hex.EncodeToString(sum[:8])
}

// activateScript is keptUnit with what it takes to leave itself on the host.
func activateScript() string {
	return "kept=" + keptFile() + " self=" + quoted(keptUnit()) + "\neval \"$self\""
}

// quoted is a text as one word of the shell's.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// kept is the command that runs a mode of unit.sh as root, by any way but
// RootSudoPassword, with the text to use on a host that keeps none.
func (r Root) kept(text string, args ...string) sshpool.Cmd {
	return sshpool.Cmd{
		Argv:  append(append(r.prefix(), "sh", "-c", keptScript, "sh", keptFile()), args...),
		Stdin: strings.NewReader(whole(text)),
	}
}

// runUnit runs a mode of unit.sh, as asRoot does it. A sudo with a password needs the
// standard input in any case.
func (j *job) runUnit(ctx context.Context, run sessionFunc, s Survey, each func(string), mode string, args ...string) (sshpool.Result, error) {
	text := terse(unitScript)
	if mode == "activate" {
		text = activateScript()
	}
	args = append([]string{mode}, args...)
	if s.Root == RootSudoPassword {
		return j.asRoot(ctx, run, s, each, text, args...)
	}
	cmd := s.Root.kept(text, args...)
	cmd.Stdout = each
	return run(ctx, cmd)
}
