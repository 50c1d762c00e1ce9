package nixcmd

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Installable names a value that nix can evaluate: an attribute of a flake.
// The zero value names nothing and is refused wherever one is asked for.
type Installable struct {
	ref  string
	attr []string
}

// FlakeAttr names the attribute at the path attr of a flake. The flake is a
// directory or any flake reference ("." is that of Config.Dir); it may not hold
// "#" or "^", which Nix takes for the start of an attribute and of an output.
//
// Path elements are arbitrary attribute names, except that Nix has no way to
// write an empty one or one with a double quote, a backslash, "^" or a control
// character: those are refused.
func FlakeAttr(dirOrRef string, attr ...string) (Installable, error) {
	switch {
	case dirOrRef == "":
		return Installable{}, fmt.Errorf("no flake given; the one in the working directory is %q", ".")
	case dirOrRef[0] == '-':
		return Installable{}, fmt.Errorf("flake reference %q looks like an option; write %q", abbreviated(dirOrRef), "./"+abbreviated(dirOrRef))
	case strings.ContainsAny(dirOrRef, "#^"), hasControl(dirOrRef):
		return Installable{}, fmt.Errorf("flake reference %q holds '#', '^' or a control character", abbreviated(dirOrRef))
	case len(attr) == 0:
		return Installable{}, fmt.Errorf("no attribute of flake %q given", dirOrRef)
	}
	for _, name := range attr {
		if name == "" {
			return Installable{}, fmt.Errorf("attribute path %q holds an empty name, which Nix cannot address", attr)
		}
		if strings.ContainsAny(name, `^"\`) || hasControl(name) {
			return Installable{}, fmt.Errorf("attribute name %q holds '^', '\"', '\\' or a control character, which Nix cannot address", abbreviated(name))
		}
	}
	return Installable{ref: dirOrRef, attr: append([]string(nil), attr...)}, nil
}

func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

// String returns the installable as one would type it, without a shell's
// quotes: .#nixosConfigurations."a.b".config.
func (i Installable) String() string {
	if i.ref == "" {
		return ""
	}
	return i.ref + "#" + i.path()
}

// arguments are what a command that evaluates ends with. Nix writes a lock file that is not
// up to date anew, that of a commit into the work tree, over the one there (seen with 2.26
// and 2.34).
func (i Installable) arguments(v Version) []string {
	_, query, _ := strings.Cut(i.ref, "?")
	if of, err := url.ParseQuery(query); err == nil && of.Has("rev") {
		return []string{"--no-write-lock-file", "--", i.argument(v)}
	}
	return []string{"--", i.argument(v)}
}

// argument is String for a certain Nix. Since 2.19 a leading dot stops it from
// first looking the path up below packages.SYSTEM and legacyPackages.SYSTEM,
// which would evaluate what nobody asked for (Nix 2.19 release notes).
func (i Installable) argument(v Version) string {
	if v.AtLeast(2, 19) {
		return i.ref + "#." + i.path()
	}
	return i.String()
}

// path quotes what is not an identifier; Nix undoes percent-encoding in the
// fragment before it splits the path (manual, "nix", "Flake output attribute").
func (i Installable) path() string {
	var b strings.Builder
	for n, name := range i.attr {
		if n > 0 {
			b.WriteByte('.')
		}
		if isIdentifier(name) {
			b.WriteString(name)
			continue
		}
		b.WriteByte('"')
		for _, c := range []byte(name) {
			if c == '%' || c == '#' || c == '?' || c == ' ' || c >= utf8.RuneSelf {
				fmt.Fprintf(&b, "%%%02X", c)
				continue
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	return b.String()
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && c != '_' && (i == 0 || c != '-' && c != '\'' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}
