package nixcmd

import "fmt"

// FailedBuild is a derivation whose build failed, of its own and not because
// another that it needs failed.
type FailedBuild struct {
	// Derivation is what was to be built.
	Derivation StorePath
	// LogTail are the last lines of its log, without colours, at most 50;
	// `nix log DERIVATION` has them all, on the machine that built it.
	LogTail []string
	// Reason is the first line of what Nix says of it; it may be "".
	Reason string
	// Machine is the store URL of the machine that built it for this one, as Nix names it;
	// "" if none did.
	Machine string
	// BrokenOff says that the Nix of that machine had not said that the build failed when
	// this one gave it up: it ended, or did not take the inputs. It is then not known
	// whether the build would fail.
	BrokenOff bool
}

// BuildError says that not everything was built.
type BuildError struct {
	// Derivations are what was to be built.
	Derivations []StorePath
	// Store is where, as given in BuildOptions; the logs are there.
	Store string
	// Failed are the builds that failed, in the order they did, and then those that were
	// broken off. It is empty if
	// it never came to a build: a substituter that is down, a full disk, a
	// derivation for a system that no machine has.
	Failed []FailedBuild
	// Messages are all errors Nix gave, without colours, in order: first the
	// failed builds, then what could not be built because of them.
	Messages []string
	// Argv, ExitCode and Stderr are as in Error.
	Argv     []string
	ExitCode int
	Stderr   string

	hint string
}

// Error names the first failed build and its reason, and how many more there
// are.
func (e *BuildError) Error() string {
	if len(e.Failed) == 0 {
		message := ""
		if n := len(e.Messages); n > 0 {
			message = e.Messages[n-1]
		}
		return oneLine("nix: cannot build", cause(nil, e.ExitCode, message))
	}
	first := e.Failed[0]
	what := "nix: cannot build " + first.Derivation.Name()
	if n := len(e.Failed) - 1; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	return oneLine(what, cause(nil, e.ExitCode, first.Reason))
}

// Hint says what to do about it; "" if there is nothing sensible to say.
func (e *BuildError) Hint() string { return e.hint }
