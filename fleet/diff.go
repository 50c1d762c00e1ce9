package fleet

import (
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// PackageDiff is the comparison of two closures, package by package.
type PackageDiff = nixcmd.ClosureDiff

// PackageChange is what a PackageDiff says of one package.
type PackageChange = nixcmd.PackageChange

// Difference is what deploying would change on a host, against what it runs, and
// what it would take; or, of a deployment, what it has changed, or tried to. Of a
// host that is unchanged it has FreeBytes only.
type Difference struct {
	// Packages compares the closures of the system that was live and the wanted one.
	Packages PackageDiff
	// PackagesUnknown says why Packages is not known; empty if it is. Plans know it
	// always, and deployments if this machine's store has both systems.
	PackagesUnknown string
	// Copy is what the host's store lacked before anything was copied to it; of a
	// deployment what was copied from here, without Bytes if sizes are not known.
	Copy CopyWork
	// FreeBytes is the free space on the file system of the host's store at that
	// time; -1 if it is not known.
	FreeBytes int64
	// Units is what the wanted system's own dry activation says it would do; of a
	// deployment what its activation said it does, as far as that was seen.
	Units UnitChanges
	// UnitsUnknown says why Units is not known; empty if it is.
	UnitsUnknown string
	// RebootFor names what would take effect only after a reboot, against what
	// the host has booted, and Reboot tells more of each. Both are nil also if
	// the system did not come to a dry activation; UnitsUnknown then says why.
	RebootFor []string
	Reboot    []RebootPart
	// Inhibitors are the switch inhibitors that keep the system from being switched
	// to, so that it would be Staged; nil if there are none, or if the system did not
	// come to a dry activation.
	Inhibitors []SwitchInhibitor
	// Held says which deployment has the host, so that deploying or rolling back would end
	// as Locked for as long as it does; empty if none has, and for what was done.
	Held string
}

// CopyWork is how much has to be copied to a host. The zero value is nothing.
type CopyWork struct {
	// Paths counts store paths, Bytes sums their contents (NAR size).
	Paths int
	Bytes int64
}

// NoRoom reports whether the host's store has less free space than the copy
// takes.
func (d *Difference) NoRoom() bool { return d.FreeBytes >= 0 && d.Copy.Bytes > d.FreeBytes }

// difference is what the stores and the free space tell of a plan.
func difference(k *stores, free int64) *Difference {
	return &Difference{
		Packages: nixcmd.Diff(k.live, k.wanted), Copy: k.copying(), FreeBytes: free,
		UnitsUnknown: "the system did not come to the host",
	}
}

// dryActivated adds what a dry activation told: how it ended, and what it said
// it would do.
func (d *Difference) dryActivated(end unitEnd, units UnitChanges) {
	units.New = newUnits(d.Packages)
	d.Units, d.UnitsUnknown = units, ""
	d.Reboot = end.rebootChanges()
	d.RebootFor = partNames(d.Reboot)
	d.Inhibitors = end.inhibitors()
	switch _, err := judge(end, ""); {
	case err != nil:
		d.UnitsUnknown = err.Error()
		if n := len(end.lines); n > 0 {
			d.UnitsUnknown += ": " + strings.Join(end.lines[max(0, n-3):], "; ")
		}
	case end.status != 0:
		d.UnitsUnknown = "this system replaces the init interface and can only be booted into"
	}
}

// UnitChanges are the systemd units that an activation would act on, as the
// system's own dry activation names them. Each list may be nil.
type UnitChanges struct {
	// Stop, Restart, Reload and Start are units to which that would be done.
	Stop, Restart, Reload, Start []string
	// Keep are changed units that would be left running as they are.
	Keep []string
	// New are units that only the wanted system has, of a plan: which of them start,
	// and which only something else starts, nobody says beforehand. Characters that a
	// store path cannot have are "-".
	New []string
}

// newUnits are the units that only the new system has, sorted, by the names of their
// store paths: NixOS calls them unit-NAME (nixos/lib/systemd-lib.nix, makeUnit). A dry
// activation does not name them, since it is their targets that start them.
func newUnits(packages PackageDiff) (names []string) {
	for _, p := range packages.Added {
		if name, ok := strings.CutPrefix(p.Name, "unit-"); ok && isUnit(name) {
			names = append(names, name)
		}
	}
	return names
}

// Empty reports whether no unit would be touched, and none is new.
func (u UnitChanges) Empty() bool {
	return len(u.Stop)+len(u.Restart)+len(u.Reload)+len(u.Start)+len(u.New) == 0
}

// read takes in one line of what switch-to-configuration prints, of a dry activation or
// another (nixpkgs, switch-to-configuration-ng, src/main.rs). Other lines are passed
// over.
func (u *UnitChanges) read(line string) {
	what, list, ok := strings.Cut(line, " units: ")
	if !ok {
		if what, list, ok = strings.Cut(line, " units were started: "); !ok || what != "the following new" {
			return
		}
		what = "starting the following"
	}
	var to *[]string
	switch what {
	case "would stop the following", "stopping the following":
		to = &u.Stop
	case "would NOT stop the following changed", "NOT restarting the following changed":
		to = &u.Keep
	case "would restart the following", "restarting the following":
		to = &u.Restart
	case "would reload the following", "reloading the following":
		to = &u.Reload
	case "would start the following", "starting the following":
		to = &u.Start
	default:
		return
	}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*to = append(*to, name)
		}
	}
}
