package fleet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Select is Inventory.Select, also for a fleet.toml that lists no hosts: they are
// then all of the flake's nixosConfigurations, sorted by name, with the defaults
// of fleet.toml. Only then is Nix asked, unless that is remembered. Errors are also those
// of nixcmd.Client.AttrNames, and a *ConfigError if the flake has no hosts or one
// that needs a section of its own.
func (f *Fleet) Select(ctx context.Context, selector string) ([]Host, error) {
	inv := f.Inventory
	if len(inv.Hosts) == 0 {
		var err error
		if inv, err = f.discover(ctx); err != nil {
			return nil, err
		}
	}
	return inv.Select(selector)
}

// discover returns the inventory with the flake's hosts.
func (f *Fleet) discover(ctx context.Context) (*Inventory, error) {
	names, err := f.configurations(ctx)
	if err != nil {
		return nil, err
	}
	inv := *f.Inventory
	flake := filepath.Join(inv.Dir, flakeName)
	var errs []error
	for _, name := range names {
		h := inv.defaults.host(name, fileHost{})
		for _, p := range h.problems() {
			errs = append(errs, &ConfigError{File: flake, Problem: fmt.Sprintf("nixosConfigurations.%q: %s", name, p.text),
				Help: fmt.Sprintf("list the hosts in %s, this one as [hosts.NAME] with attr = %q", FileName, name)})
		}
		inv.Hosts = append(inv.Hosts, h)
	}
	if len(names) == 0 {
		errs = append(errs, &ConfigError{File: flake, Problem: "nixosConfigurations is empty", Help: "add a host to it"})
	} else {
		errs = append(errs, inv.checkSelectors()...)
	}
	if b := inv.defaults.BuildHost; len(names) > 0 && !inv.buildsOn(b) {
		errs = append(errs, &ConfigError{File: filepath.Join(inv.Dir, FileName), Problem: noBuildHost("defaults", b), Help: didYouMean(b, inv.buildHosts())})
	}
	return &inv, errors.Join(errs...)
}

// configurations are the names of the flake's nixosConfigurations, sorted.
func (f *Fleet) configurations(ctx context.Context) ([]string, error) {
	s := f.recollect(ctx)
	defer s.finish()
	return s.names(ctx)
}

// explainMissing names the nearest configurations if the flake lacks the host's.
// It is called within the limit of evaluations, and asks Nix only about an error
// that has no position, as this one has none.
func (j *job) explainMissing(ctx context.Context, err error) error {
	var failed *nixcmd.EvalError
	if !errors.As(err, &failed) || failed.File != "" || ctx.Err() != nil {
		return err
	}
	inst, instErr := j.fleet.attr("nixosConfigurations")
	if instErr != nil {
		return err
	}
	names, namesErr := j.fleet.nix.AttrNames(ctx, inst)
	if namesErr != nil {
		return err
	}
	if slices.Contains(names, j.host.Attr) {
		return err
	}
	return &hintedError{fmt.Errorf("the flake has no nixosConfigurations.%s", j.host.Attr),
		strings.TrimSuffix(fmt.Sprintf("correct [hosts.%s] in %s or set its attr; %s", j.host.Name, FileName, didYouMean(j.host.Attr, names)), "; ")}
}
