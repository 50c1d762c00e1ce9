package worktree

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// heedAttributes notes what gitattributes(5) in a file make of the tree's files; that there is
// none makes nothing of them.
func (t *Tree) heedAttributes(file string) {
	if data, err := os.ReadFile(file); err == nil {
		t.heed(string(data))
	}
}

func (t *Tree) heed(attributes string) {
	certain, auto := converts(attributes)
	t.Uncertain, t.autoText = t.Uncertain || certain, t.autoText || auto
}

// converts reports whether attributes make a file's contents in the work tree other than in the
// repository, or leave it out of archives; auto, that they do so only with files that have
// carriage returns in the work tree and none in the repository. What is unset (-text, as
// by "binary") converts nothing.
func converts(attributes string) (certain, auto bool) {
	for line := range strings.Lines(attributes) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		text, eol := "", ""
		for _, attribute := range fields[1:] {
			switch name, value, _ := strings.Cut(attribute, "="); name {
			case "text":
				text = "set"
				if value == "auto" {
					text = "auto"
				}
			case "eol":
				eol = value
			case "filter", "crlf", "ident", "working-tree-encoding", "export-subst", "export-ignore":
				certain = true
			}
		}
		switch {
		case text == "auto" && (eol == "" || eol == "lf"):
			auto = true
		case text != "" || eol != "":
			certain = true
		}
	}
	return certain, auto
}

// heedCarriageReturns looks whether a file that Git sees to be edited would have lost carriage returns
// on its way into the repository, and may then be as it was: to Git that depends on its size, and to Nix
// not.
func (t *Tree) heedCarriageReturns() {
	if !t.autoText || t.Uncertain {
		return
	}
	for name := range t.edited {
		data, err := os.ReadFile(filepath.Join(t.Root, name))
		t.Uncertain = t.Uncertain || err == nil && bytes.ContainsRune(data, '\r')
	}
}
