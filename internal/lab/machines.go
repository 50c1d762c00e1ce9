package lab

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// Control is the machine that Flotilla runs on.
	Control = "control"
	// FleetDir is the fleet's checkout, a git repository, in Control.
	FleetDir = "/root/fleet"
	// FlotillaPath is where Control has the binary of Config.Flotilla.
	FlotillaPath = "/usr/local/bin/flotilla"
	// Subnet holds the machines' addresses. It is not routed anywhere, and
	// this machine has no address in it.
	Subnet = "10.77.0.0/24"

	// compat is not booted and no part of the fleet; see Lab.Compat.
	compat = "compat"

	firstAddress = 10
)

// Hosts lists the machines to deploy to, in the fleet's order. The caller owns
// the slice.
func Hosts() []string { return []string{"p620", "razer", "p510", "dex5550"} }

// Machines lists Control and the Hosts. The caller owns the slice.
func Machines() []string { return append([]string{Control}, Hosts()...) }

// Address returns a machine's IPv4 address, or "" if there is no such machine.
// It is the same in every lab.
func Address(machine string) string {
	i := slices.Index(Machines(), machine)
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("10.77.0.%d", firstAddress+i)
}

// hardwareAddress is fixed, so that a machine that comes back after a power cut
// is still what its neighbours remember.
func hardwareAddress(machine string) string {
	return fmt.Sprintf("02:77:00:00:00:%02x", firstAddress+slices.Index(Machines(), machine))
}

func checkMachine(op, machine string) error {
	if slices.Contains(Machines(), machine) {
		return nil
	}
	return &Error{
		Op: op, Machine: machine,
		Err: fmt.Errorf("no such machine"),
		Fix: "the lab's machines are " + strings.Join(Machines(), ", "),
	}
}
