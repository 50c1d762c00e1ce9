package fleet

import (
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// RebootPart is a part of a system that takes effect only when it is booted.
type RebootPart struct {
	// Part is "kernel", "initrd", "kernel-modules" or "kernel-params".
	Part string
	// Old and New are the versions in the names of the booted and of the wanted
	// part; both are empty if the names do not tell them apart. For kernel-params
	// they are the parameters that only one of the two has.
	Old, New string
}

// rebootChanges are the parts whose values differ under the two prefixes.
func rebootChanges(a answer, before, after string) []RebootPart {
	var parts []RebootPart
	for _, part := range []string{"kernel", "initrd", "kernel-modules", "kernel-params"} {
		was, is := a.values[before+part], a.values[after+part]
		switch {
		case was == is:
		case part == "kernel-params":
			old, now := strings.Fields(was), strings.Fields(is)
			parts = append(parts, RebootPart{part, strings.Join(without(old, now), " "), strings.Join(without(now, old), " ")})
		default:
			p := RebootPart{part, partVersion(was), partVersion(is)}
			if p.Old == p.New {
				p.Old, p.New = "", ""
			}
			parts = append(parts, p)
		}
	}
	return parts
}

// rebootChanges are the parts of what boots next that differ from what was booted. A
// specialisation that was itself booted waits for none.
func (e *unitEnd) rebootChanges() []RebootPart {
	if _, special := e.values["active/kernel"]; special && rebootChanges(e.answer, "booted/", "active/") == nil {
		return nil
	}
	return rebootChanges(e.answer, "booted/", "next/")
}

// rebootParts are the names of the parts that differ.
func rebootParts(a answer, before, after string) []string {
	return partNames(rebootChanges(a, before, after))
}

func partNames(parts []RebootPart) []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.Part)
	}
	return names
}

// partVersion is the kernel version in the name of a store path such as
// "linux-6.12.31/bzImage", "initrd-linux-6.12.31/initrd" or
// "linux-6.12.31-modules" (nixpkgs, nixos/modules/system/boot); "" if there is
// none.
func partVersion(file string) string {
	base, _, _ := strings.Cut(strings.TrimPrefix(file, nixcmd.StoreDir+"/"), "/")
	_, version := storePath(nixcmd.StoreDir + "/" + base).Package()
	return strings.TrimSuffix(version, "-modules")
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}
