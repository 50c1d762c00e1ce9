//go:build mage

// The homelab's targets: every recipe, and one for each host by its name.
package main

import (
	"context"

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
