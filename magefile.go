//go:build mage

// Flotilla deploys a fleet of NixOS machines from one flake.
//
// These are the targets of this repository: every recipe, the guide's four
// hosts by name, the lab to try them in, and the chores of development.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/nixflotilla/flotilla/bench/peers"
	"github.com/nixflotilla/flotilla/internal/chores"
	"github.com/nixflotilla/flotilla/internal/demo"
	//mage:import
	"github.com/nixflotilla/flotilla/recipes"
)

// P620 deploys the workstation p620 (AMD/ROCm, binary cache)
func P620(ctx context.Context, dry, json, force, boot, reboot, yes, test, noCheck *bool, specialisation *string) error {
	return recipes.Deploy(ctx, "p620", dry, json, force, boot, reboot, yes, nil, test, noCheck, specialisation, nil, nil)
}

// Razer deploys the laptop razer (Intel/NVIDIA)
func Razer(ctx context.Context, dry, json, force, boot, reboot, yes, test, noCheck *bool, specialisation *string) error {
	return recipes.Deploy(ctx, "razer", dry, json, force, boot, reboot, yes, nil, test, noCheck, specialisation, nil, nil)
}

// P510 deploys the media server p510 (Xeon/NVIDIA)
func P510(ctx context.Context, dry, json, force, boot, reboot, yes, test, noCheck *bool, specialisation *string) error {
	return recipes.Deploy(ctx, "p510", dry, json, force, boot, reboot, yes, nil, test, noCheck, specialisation, nil, nil)
}

// Dex5550 deploys the server dex5550 (DNS, monitoring)
func Dex5550(ctx context.Context, dry, json, force, boot, reboot, yes, test, noCheck *bool, specialisation *string) error {
	return recipes.Deploy(ctx, "dex5550", dry, json, force, boot, reboot, yes, nil, test, noCheck, specialisation, nil, nil)
}

// Lab boots the lab: five real hosts on this machine (about a minute the first time)
func Lab(ctx context.Context) error { return chores.LabUp(ctx, os.Stderr) }

// LabStatus shows the lab's machines: which run, where, and which faults are in force
func LabStatus(ctx context.Context) error { return chores.LabStatus(ctx, os.Stdout) }

// LabExec runs COMMAND in the lab's control machine, in the fleet's checkout: 'flotilla pingHosts'
//
// With -compat after it, it runs beside control, in a system with a newer Nix.
func LabExec(ctx context.Context, command string, compat *bool) error {
	return chores.LabExec(ctx, command, compat != nil && *compat)
}

// LabDown removes everything the lab made, its images too (-keepImage: but those)
func LabDown(ctx context.Context, keepImage *bool) error {
	return chores.LabDown(ctx, os.Stderr, keepImage != nil && *keepImage)
}

// Demo boots the lab, deploys to its four hosts and shows what a change does (under 3 minutes)
func Demo(ctx context.Context) error { return demo.Run(ctx, os.Stdout) }

// BenchPeers measures Flotilla beside the guide's recipes in the lab, ROUNDS times each
//
// FLOTILLA_TEST_NIXPKGS names a Git repository of nixpkgs: then each evaluation is one of a
// real NixOS.
func BenchPeers(ctx context.Context, rounds int) error {
	c, err := chores.LabConfig(os.Stderr)
	if err != nil {
		return err
	}
	r, err := peers.Run(ctx, c, rounds, os.Getenv("FLOTILLA_TEST_NIXPKGS"), func(text string) { fmt.Fprintln(os.Stderr, "peers:", text) })
	if err != nil {
		return err
	}
	_, err = fmt.Print(r.Markdown())
	return err
}

// Test runs everything CI runs: lint, unit tests and tests on the lab's real hosts
func Test(ctx context.Context) error { return chores.Test(ctx) }

// TestShort runs lint and the tests that need no lab, in under a minute
func TestShort(ctx context.Context) error { return chores.TestShort(ctx) }

// Soak edits random flakes STEPS times (some 3 a second) and holds every prediction against both Nix versions
func Soak(ctx context.Context, steps int) error { return chores.Soak(ctx, steps) }

// Faults runs the whole campaign of faults on the lab's hosts ROUNDS times (some 2 minutes each)
func Faults(ctx context.Context, rounds int) error { return chores.Faults(ctx, rounds) }

// Lint checks formatting, vet (also of the magefile) and staticcheck
func Lint(ctx context.Context) error { return chores.Lint(ctx) }
