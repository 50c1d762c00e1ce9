package recipes

import (
	"fmt"
	"os"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// is and text read the optional flags of a target, which are nil if not given.
func is(flag *bool) bool { return flag != nil && *flag }

func text(flag *string, otherwise string) string {
	if flag == nil {
		return otherwise
	}
	return *flag
}

// asJSON is the option -json, which says what FLOTILLA_JSON=1 says.
func asJSON(flag *bool) {
	if is(flag) {
		os.Setenv("FLOTILLA_JSON", "1")
	}
}

// anew is the option -fresh, which says what FLOTILLA_FRESH=1 says.
func anew(flag *bool) {
	if is(flag) {
		os.Setenv("FLOTILLA_FRESH", "1")
	}
}

// names lists hosts for a person.
func names(hosts []fleet.Host) string {
	if len(hosts) == 1 {
		return hosts[0].Name
	}
	return fmt.Sprintf("%d hosts (%s)", len(hosts), listed(hosts))
}

func listed(hosts []fleet.Host) string {
	all := make([]string, len(hosts))
	for i, h := range hosts {
		all[i] = h.Name
	}
	return strings.Join(all, ", ")
}
