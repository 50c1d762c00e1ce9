package fleet

import (
	"fmt"
	"slices"
)

// Values of Host.BuildHost and DeployOptions.BuildHost besides the names of
// hosts. A host that bears one of these names cannot be named there.
const (
	// BuildHere: on the machine that Flotilla runs on.
	BuildHere = "here"
	// BuildOnTarget: on the host itself.
	BuildOnTarget = "target"
	// BuildOnBuilders: on Inventory.Builders, by Nix's own build hook, and here as far as
	// they have no room. Without any, as BuildHere.
	BuildOnBuilders = "builders"
)

// buildHosts are the words that a build-host may be.
func (inv *Inventory) buildHosts() []string {
	return append([]string{BuildHere, BuildOnTarget, BuildOnBuilders}, inv.names()...)
}

// buildsOn reports whether a build-host means something. One that is no word at
// all is a problem of its host.
func (inv *Inventory) buildsOn(name string) bool {
	return name == "" || !isWord(name, "-_.") || slices.Contains(inv.buildHosts(), name)
}

// buildOn makes all hosts be built somewhere; "" leaves them as they are.
func (inv *Inventory) buildOn(name string) error {
	switch {
	case name == "":
		return nil
	case !isWord(name, "-_."), len(inv.Hosts) > 0 && !inv.buildsOn(name):
		return &hintedError{fmt.Errorf("there is no host %q to build on", name), didYouMean(name, inv.buildHosts())}
	}
	inv.defaults.BuildHost = name
	for i := range inv.Hosts {
		inv.Hosts[i].BuildHost = name
	}
	return nil
}

func noBuildHost(where, name string) string {
	return fmt.Sprintf("%s: there is no host %q to build on", where, name)
}

// noBuildHosts are the errors for build hosts that do not exist, each where it
// is written. Without any hosts, only the flake can tell: see discover.
func (inv *Inventory) noBuildHosts(keys *tomlKeys, bad func(problem, help string, key ...string) error) []error {
	var errs []error
	check := func(name, where string, section ...string) {
		key := append(section, "build-host")
		if keys.line(key...) > 0 && !inv.buildsOn(name) {
			errs = append(errs, bad(noBuildHost(where, name), didYouMean(name, inv.buildHosts()), key...))
		}
	}
	if len(inv.Hosts) == 0 {
		return nil
	}
	check(inv.defaults.BuildHost, "defaults", "defaults")
	for _, h := range inv.Hosts {
		check(h.BuildHost, fmt.Sprintf("host %q", h.Name), "hosts", h.Name)
	}
	return errs
}
