package nixcmd

import (
	"os"
	"regexp"
	"strings"
)

// An output at the beginning of a derivation's list of them: its name, its path,
// and two fields for contents that are known (Nix manual, "Derivation", "ATerm
// format").
var drvOutput = regexp.MustCompile(`^\("([^"\\]*)","([^"\\]*)","[^"\\]*","[^"\\]*"\)`)

// readOutput finds the path of a derivation's output "out" in the derivation's
// file, without a process. It reports false where the file is not this machine's,
// or does not say.
func readOutput(drv StorePath) (StorePath, bool) {
	text, err := os.ReadFile(string(drv))
	if err != nil {
		return "", false
	}
	return parseOutput(string(text))
}

func parseOutput(text string) (StorePath, bool) {
	rest, ok := strings.CutPrefix(text, "Derive([")
	for ok {
		m := drvOutput.FindStringSubmatch(rest)
		if m == nil {
			return "", false
		}
		if m[1] == "out" {
			p, err := ParseStorePath(m[2])
			return p, err == nil
		}
		rest, ok = strings.CutPrefix(rest[len(m[0]):], ",")
	}
	return "", false
}
