package nixcmd

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The flavours of Nix that ParseVersion tells apart.
const (
	FlavourNix         = "nix"
	FlavourDeterminate = "determinate"
	FlavourLix         = "lix"
)

// Minimum is the oldest Nix that is supported.
func Minimum() Version { return Version{Major: 2, Minor: 18, Flavour: FlavourNix} }

// Version is a version of Nix. The zero value is older than any.
type Version struct {
	// Major, Minor and Patch are the numbers of MAJOR.MINOR.PATCH; Patch is 0
	// where there is none.
	Major, Minor, Patch int
	// Pre is what follows the numbers of a development version, such as
	// "pre20260102_1a2b3c4"; "" for a release.
	Pre string
	// Flavour is FlavourNix, FlavourDeterminate or FlavourLix. The numbers of
	// Determinate Nix are those of the Nix it is made of; Lix counts on its own
	// from 2.90.
	Flavour string
}

var versionNumber = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?((?:[A-Za-z._+-][A-Za-z0-9._+-]*)?)$`)

// ParseVersion reads what `nix --version` prints on its first line, such as
// "nix (Nix) 2.26.3", "nix (Determinate Nix 3.6.2) 2.29.0" or
// "nix (Lix, like Nix) 2.93.0".
func ParseVersion(output string) (Version, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "nix" {
		return Version{}, fmt.Errorf("%q is not what `nix --version` prints", abbreviated(line))
	}
	m := versionNumber.FindStringSubmatch(words[len(words)-1])
	if m == nil {
		return Version{}, fmt.Errorf("no version number at the end of %q", abbreviated(line))
	}
	v := Version{Pre: strings.TrimLeft(m[4], ".-+"), Flavour: FlavourNix}
	v.Major, _ = strconv.Atoi(m[1]) // the pattern lets nothing else through
	v.Minor, _ = strconv.Atoi(m[2])
	v.Patch, _ = strconv.Atoi(m[3])
	switch lower := strings.ToLower(line); {
	case strings.Contains(lower, "determinate"):
		v.Flavour = FlavourDeterminate
	case strings.Contains(lower, "lix"):
		v.Flavour = FlavourLix
	}
	return v, nil
}

// Less orders versions by their numbers; a development version comes before
// the release it leads to. The flavour does not count.
func (v Version) Less(w Version) bool {
	c := cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
	if c != 0 || v.Pre == w.Pre {
		return c < 0
	}
	return w.Pre == "" || v.Pre != "" && v.Pre < w.Pre
}

// AtLeast reports whether this Nix has what came with Nix major.minor. A
// development version of that very release is not held to have it yet, and Lix,
// whatever its number, has what Nix 2.18 had: it was forked from there.
func (v Version) AtLeast(major, minor int) bool {
	if v.Flavour == FlavourLix {
		v = Minimum()
	}
	return !v.Less(Version{Major: major, Minor: minor})
}

// String returns the number, such as "2.26.3" or "2.36.0pre20260102_1a2b3c4",
// with the flavour before it unless that is plain Nix.
func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d%s", v.Major, v.Minor, v.Patch, v.Pre)
	switch v.Flavour {
	case FlavourDeterminate, FlavourLix:
		return v.Flavour + " " + s
	}
	return s
}
