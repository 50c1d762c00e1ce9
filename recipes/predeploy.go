package recipes

import (
	"context"
	"fmt"
	"os"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// PreDeploy checks all that could go wrong with deploying HOST, and shows what that would change
//
// Options: -json, -fresh. Everything short of deploying: syntax, flake, evaluation, build,
// and the host itself. Nothing that the host runs or boots is changed; if all is
// well with it its store gets the new system.
func PreDeploy(ctx context.Context, host string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	var v *fleet.Validation
	err := asking(ctx, host, becoming(nil), func(ctx context.Context, s session) *fleet.Report {
		v = s.fleet.PreDeploy(ctx, s.hosts)
		if forPrograms() {
			ui.JSONChecks(os.Stdout, v.Checks) // the report is the last line
		}
		return v.Hosts
	})
	if v == nil {
		return err
	}
	if !forPrograms() {
		ui.Checks(guarded(os.Stdout), guarded(os.Stderr), v.Checks)
	}
	switch code := v.ExitCode(); {
	case code == fleet.ExitCancelled:
		return mg.Fatal(code, ui.Summary(v.Hosts))
	case code != fleet.ExitOK:
		return mg.Fatal(code, "not ready: "+ui.Summary(v.Hosts)+"; "+ui.CheckSummary(v.Checks))
	}
	if !forPrograms() {
		fmt.Fprintln(os.Stdout, "ready: nothing stands against deploying")
	}
	return nil
}
