// Package fleet deploys a fleet of NixOS machines from one flake.
//
// Open reads the inventory (fleet.toml) beside a flake. The Fleet it returns
// selects hosts and does things to them: Test evaluates and builds, Deploy goes
// all the way to a verified live system, Plan works out what that would do, Ping
// asks which hosts answer, Affected tells which hosts a change touches.
//
//	f, err := fleet.Open(fleet.Config{Dir: "."})
//	…
//	defer f.Close(ctx)
//	hosts, err := f.Select(ctx, "@server,!p510")
//	…
//	report := f.Deploy(ctx, hosts, fleet.DeployOptions{})
//	return report.Err()
//
// Hosts never wait for each other: while one is activated another may still be
// evaluated. Each stage has a limit of its own. A host that fails is a result in
// the report, and stops no other host.
//
// The package prints nothing. What happens is told to a Sink as Events, what
// came of it is returned as a Report.
package fleet
