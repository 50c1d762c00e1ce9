package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SwitchInhibitor is a part of the system, such as a driver, that must not change
// while it runs (NixOS's system.switch.inhibitors), and does.
type SwitchInhibitor struct {
	// Name is its name in the configuration, Old and New are its values in the live
	// and in the new system.
	Name, Old, New string
}

// differingInhibitors compares the files switch-inhibitors of two systems, which are
// JSON. nixpkgs refuses a switch where a key of both has other values
// (nixos/modules/system/activation/switchable-system.nix). What cannot be read
// inhibits nothing.
func differingInhibitors(live, wanted string) []SwitchInhibitor {
	var before, after map[string]any
	if json.Unmarshal([]byte(live), &before) != nil || json.Unmarshal([]byte(wanted), &after) != nil {
		return nil
	}
	var all []SwitchInhibitor
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if old, both := before[key]; both && fmt.Sprint(old) != fmt.Sprint(after[key]) {
			all = append(all, SwitchInhibitor{key, fmt.Sprint(old), fmt.Sprint(after[key])})
		}
	}
	return all
}

// inhibitors are those that unit.sh told of.
func (e *unitEnd) inhibitors() []SwitchInhibitor {
	return differingInhibitors(e.values["inhibitors/live"], e.values["inhibitors/next"])
}

// inhibitorsDiffer says so in a few words.
func inhibitorsDiffer(all []SwitchInhibitor) string {
	texts := make([]string, len(all))
	for i, in := range all {
		texts[i] = fmt.Sprintf("%s (%s → %s)", in.Name, in.Old, in.New)
	}
	if len(all) == 1 {
		return "the switch inhibitor " + texts[0] + " differs"
	}
	return "the switch inhibitors " + strings.Join(texts, ", ") + " differ"
}
