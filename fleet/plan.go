package fleet

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Plan is the decision for one host: a pure value, worked out from what the
// host runs and what the flake wants.
type Plan struct {
	// Deploy reports whether anything will be done to the host.
	Deploy bool
	// Reason is one sentence saying why, or why not.
	Reason string
}

// Decide compares what a host runs and boots with the wanted toplevel. The
// host is unchanged only if both are the wanted one. With force, an unchanged
// host is deployed all the same.
func Decide(s Survey, wanted nixcmd.StorePath, force bool) Plan {
	switch {
	case s.Current == wanted && s.Profile == wanted && s.Uncommitted:
		return Plan{true, fmt.Sprintf("it runs %s, but an earlier deployment was cut short before its boot entry was made", short(wanted))}
	case s.Current == wanted && s.Profile == wanted && force:
		return Plan{true, "it already runs this system; activating it again was asked for"}
	case s.Current == wanted && s.Profile == wanted:
		return Plan{false, "it already runs and boots " + short(wanted)}
	case s.Current == wanted && s.Profile == "":
		return Plan{true, fmt.Sprintf("it runs %s, but has no system profile to boot", short(wanted))}
	case s.Current == wanted:
		return Plan{true, fmt.Sprintf("it runs %s, but boots %s", short(wanted), short(s.Profile))}
	case s.Current == "":
		return Plan{true, fmt.Sprintf("it runs no NixOS system yet; wanted is %s", short(wanted))}
	}
	return Plan{true, fmt.Sprintf("it runs %s, wanted is %s", short(s.Current), short(wanted))}
}

// short is a system's path as people tell them apart: a few characters of the
// hash, then the host and the version of its name.
func short(p nixcmd.StorePath) string {
	if p == "" {
		return "nothing"
	}
	return p.Hash()[:7] + "-" + strings.TrimPrefix(p.Name(), "nixos-system-")
}
