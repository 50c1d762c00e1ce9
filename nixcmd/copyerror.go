package nixcmd

import "strings"

// CopyError says that paths could not be copied to or from another store.
type CopyError struct {
	// To is the store that was copied to, as given in CopyOptions; "" if it was
	// From another one, as given in FetchOptions.
	To, From string
	// Message is what ssh and Nix said of it, without colours: at most the last
	// ten lines.
	Message string
	// Argv, ExitCode and Stderr are as in Error.
	Argv     []string
	ExitCode int
	Stderr   string

	hint string
}

// Error names the other store and the message.
func (e *CopyError) Error() string {
	where := "to " + e.To
	if e.From != "" {
		where = "from " + e.From
	}
	return oneLine("nix: cannot copy "+where, cause(nil, e.ExitCode, strings.ReplaceAll(e.Message, "\n", "; ")))
}

// Hint says what to do about it; "" if there is nothing sensible to say.
func (e *CopyError) Hint() string { return e.hint }

// copyMessage is what a plain log says besides that something is being copied:
// where ssh fails, its own words matter more than what Nix makes of them. The page that a
// web server sends with an error is left out.
func copyMessage(stderr string) string {
	var said []string
	page := false
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		switch page = page && !strings.HasPrefix(line, "error"); {
		case page, line == "", line == "error:", strings.HasPrefix(line, "copying "), strings.HasPrefix(line, "error (ignored): "):
			continue
		}
		if line, page = strings.CutSuffix(line, "response body:"); line != "" {
			said = append(said, strings.TrimRight(strings.TrimPrefix(line, "error: "), "; "))
		}
	}
	const most = 10
	return strings.Join(said[max(len(said)-most, 0):], "\n")
}

// copyHint is the same for every failure: what went wrong is only in Nix's and
// ssh's texts, and those are for people.
func copyHint(opt CopyOptions) string {
	hint := "try `nix store info --store '" + opt.To + "'` to see whether Nix can reach that store"
	if !opt.NoCheckSigs {
		hint += "; unsigned paths need a trusted user there and NoCheckSigs"
	}
	return hint
}
