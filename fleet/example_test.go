package fleet_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Deploy all servers but one, and say what became of them.
func Example() {
	f, err := fleet.Open(fleet.Config{Dir: "/etc/nixos"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx := context.Background()
	defer f.Close(ctx)
	hosts, err := f.Select(ctx, "@server,!p510")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	report := f.Deploy(ctx, hosts, fleet.DeployOptions{})
	for _, r := range report.Results {
		fmt.Println(r.Host.Name, r.Outcome)
	}
	os.Exit(report.ExitCode())
}

// Deploy what continuous integration has built and pushed to the fleet's cache, as
// `mage buildAllParallel` printed it there. Nothing is evaluated.
func ExampleReadPrebuilt() {
	prebuilt, err := fleet.ReadPrebuilt(strings.NewReader(`# revision 3b0571a
p510  /nix/store/11111111111111111111111111111111-nixos-system-p510-26.05
razer /nix/store/22222222222222222222222222222222-nixos-system-razer-26.05
`))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for _, host := range slices.Sorted(maps.Keys(prebuilt)) {
		fmt.Println(host, prebuilt[host].Toplevel.Name())
	}
	deploy := func(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host) *fleet.Report {
		return f.Deploy(ctx, hosts, fleet.DeployOptions{Prebuilt: prebuilt, FromCache: true})
	}
	_ = deploy
	// Output:
	// p510 nixos-system-p510-26.05
	// razer nixos-system-razer-26.05
}

func ExampleInventory_Select() {
	inv := &fleet.Inventory{Hosts: []fleet.Host{
		{Name: "p620", Tags: []string{"workstation"}},
		{Name: "p510", Tags: []string{"server"}},
		{Name: "dex5550", Tags: []string{"server"}},
	}}
	hosts, err := inv.Select("@server,!p510")
	fmt.Println(len(hosts), hosts[0].Name, err)

	_, err = inv.Select("dex555")
	fmt.Println(err)
	// Output:
	// 1 dex5550 <nil>
	// there is no host "dex555"; did you mean dex5550?
}

// Check every host from here, with a program of one's own, after each deployment.
func ExampleHealthCheck() {
	f, err := fleet.Open(fleet.Config{Dir: "/etc/nixos"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer f.Close(context.Background())
	f.Inventory.Health.Checks = append(f.Inventory.Health.Checks, fleet.HealthCheck{
		Name: "smoke", On: "@server",
		// It finds the host in FLOTILLA_HOST and FLOTILLA_ADDRESS.
		CommandHere: []string{"./smoke-test", "--quick"},
		Timeout:     20 * time.Second, Successes: 1,
	})
	report := f.Health(context.Background(), f.Inventory.Hosts, fleet.HealthOptions{})
	for _, r := range report.Results {
		fmt.Println(r.Host.Name, r.Outcome)
	}
}

func ExampleDecide() {
	const wanted = "/nix/store/11111111111111111111111111111111-nixos-system-razer"
	plan := fleet.Decide(fleet.Survey{Current: wanted, Profile: wanted}, wanted, false)
	fmt.Println(plan.Deploy, plan.Reason)
	// Output:
	// false it already runs and boots 1111111-razer
}

// How far away, and how fast, each host is.
func ExampleFleet_MeasureLink() {
	f, err := fleet.Open(fleet.Config{Dir: "/etc/nixos"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx := context.Background()
	defer f.Close(ctx)
	links, report := f.MeasureLink(ctx, f.Inventory.Hosts, 8<<20)
	for i, r := range report.Results {
		if r.Err == nil {
			fmt.Printf("%s: %s there and back, %.0f MB/s\n", r.Host.Name, links[i].RoundTrip, links[i].Uplink/1e6)
		}
	}
}
