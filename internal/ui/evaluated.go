package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// namedGroups and namedHosts are how many are named before the rest is counted.
const namedGroups, namedHosts = 3, 3

// evaluated says which hosts of a run were evaluated, and why: on a terminal nothing else
// is left of that once the live view has gone. "" if none told.
func evaluated(r *fleet.Report) string {
	var reasons []string
	hosts := map[string][]string{}
	avoided := 0
	for _, res := range r.Results {
		switch v := res.Evaluation; {
		case v.Avoided:
			avoided++
		case v.Reason != "":
			if hosts[v.Reason] == nil {
				reasons = append(reasons, v.Reason)
			}
			hosts[v.Reason] = append(hosts[v.Reason], res.Host.Name)
		}
	}
	if len(reasons) == 0 {
		if avoided == 0 {
			return ""
		}
		return "evaluated: none, nothing they read changed"
	}
	slices.SortStableFunc(reasons, func(a, b string) int { return len(hosts[b]) - len(hosts[a]) })
	var parts []string
	for _, reason := range reasons[:min(namedGroups, len(reasons))] {
		parts = append(parts, named(hosts[reason])+": "+reason)
	}
	if more := reasons[len(parts):]; len(more) > 0 {
		n := 0
		for _, reason := range more {
			n += len(hosts[reason])
		}
		parts = append(parts, Count(n, "host")+" more")
	}
	return "evaluated: " + strings.Join(parts, "; ")
}

// named is a list of hosts that stays short.
func named(hosts []string) string {
	if len(hosts) <= namedHosts {
		return strings.Join(hosts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(hosts[:namedHosts-1], ", "), len(hosts)-namedHosts+1)
}
