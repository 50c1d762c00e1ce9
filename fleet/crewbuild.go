package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// build builds a derivation at the place. If builders help and one is lost, it builds on
// without that one: what was complete by then is here, and not built again. One whose Nix
// alone has ended, as when it is restarted, gets a second chance.
func (p place) build(ctx context.Context, drv nixcmd.StorePath, opt nixcmd.BuildOptions, each func(nixcmd.BuildEvent)) ([]nixcmd.StorePath, error) {
	nix, drvs := p.job.fleet.nix, []nixcmd.StorePath{drv}
	opt.Progress = each
	if p.crew == nil {
		return nix.Build(ctx, drvs, opt)
	}
	again := map[string]bool{} // had its second chance
	for {
		s, err := p.crew.shift(p.job.fleet)
		if err != nil {
			return nil, err
		}
		opt.Builders, opt.SSHOpts, opt.KeepGoing = s.options, s.sshOpts, true
		opt.Progress = func(e nixcmd.BuildEvent) {
			e.Machine = s.name(e.Machine)
			each(e)
		}
		paths, err := nix.Build(ctx, drvs, opt)
		if err == nil || ctx.Err() != nil {
			return paths, err
		}
		if lost := s.lost(ctx); len(lost) > 0 {
			p.job.warn(StepBuild, fmt.Sprintf("builder %s was lost while it built; building on without it", strings.Join(lost, " and ")))
			continue
		}
		brokeOff := s.brokeOff(err)
		if len(brokeOff) == 0 || ctx.Err() != nil {
			return nil, p.job.explainNobody(ctx, s, drv, err)
		}
		for _, name := range brokeOff {
			if !again[name] {
				again[name] = true
				p.job.warn(StepBuild, fmt.Sprintf("builder %s broke off in the middle, as if its Nix had been ended; building on with it once more", name))
				continue
			}
			p.crew.leaveOut([]string{name})
			p.job.warn(StepBuild, fmt.Sprintf("builder %s broke off in the middle once more; building on without it", name))
		}
	}
}

// shares counts what each builder built; nil without builders.
func (p place) shares(built map[nixcmd.StorePath]string) []BuilderShare {
	if p.crew == nil || len(built) == 0 {
		return nil
	}
	count := map[string]int{}
	for _, machine := range built {
		count[machine]++
	}
	var shares []BuilderShare
	for machine, n := range count {
		shares = append(shares, BuilderShare{machine, n})
	}
	sortShares(shares)
	return shares
}

func sortShares(s []BuilderShare) {
	slices.SortFunc(s, func(a, b BuilderShare) int {
		return cmp.Or(b.Derivations-a.Derivations, cmp.Compare(a.Builder, b.Builder))
	})
}

// sharesText is what to add to a count of derivations.
func sharesText(shares []BuilderShare) string {
	if len(shares) == 0 {
		return ""
	}
	parts := make([]string, len(shares))
	for i, s := range shares {
		parts[i] = fmt.Sprintf("%d on %s", s.Derivations, s.Builder)
		if s.Builder == "" {
			parts[i] = fmt.Sprintf("%d here", s.Derivations)
		}
	}
	return ": " + strings.Join(parts, ", ")
}

// Builders sums the shares of all hosts, most first; nil if no builders helped.
func (r *Report) Builders() []BuilderShare {
	var all []BuilderShare
	for _, res := range r.Results {
		for _, s := range res.Builders {
			i := slices.IndexFunc(all, func(o BuilderShare) bool { return o.Builder == s.Builder })
			if i < 0 {
				all = append(all, s)
				continue
			}
			all[i].Derivations += s.Derivations
		}
	}
	sortShares(all)
	return all
}

// nobodyError is a derivation that no machine at hand can build.
type nobodyError struct {
	error
	text, hint string
}

func (e *nobodyError) Error() string { return e.text }
func (e *nobodyError) Unwrap() error { return e.error }
func (e *nobodyError) Hint() string  { return e.hint }

// explainNobody looks, if a build failed before any derivation did, for one that neither this
// machine nor a builder can build, and says what it needs. The text of Nix's error is not for
// deciding anything.
func (j *job) explainNobody(ctx context.Context, s shift, drv nixcmd.StorePath, err error) error {
	var build *nixcmd.BuildError
	if !errors.As(err, &build) || len(build.Failed) > 0 {
		return err
	}
	here, settingsErr := j.fleet.nix.Settings(ctx)
	needs, needsErr := new(nixcmd.InputSources).Needs(ctx, drv)
	if settingsErr != nil || needsErr != nil {
		return err
	}
	needs = slices.DeleteFunc(needs, func(p nixcmd.StorePath) bool { return !p.IsDerivation() })
	for some := range slices.Chunk(needs, asked) {
		drvs, drvsErr := j.fleet.nix.Derivations(ctx, some)
		if drvsErr != nil {
			return err
		}
		for _, d := range drvs {
			if here.Builds(d.System, d.RequiredFeatures) || s.builds(d) {
				continue
			}
			if missing, missingErr := j.fleet.nix.Missing(ctx, d.Outputs); missingErr == nil && len(missing) > 0 {
				return nobody(s, d, err)
			}
		}
	}
	return err
}

// builds reports whether one of the builders can build a derivation.
func (s shift) builds(d nixcmd.Derivation) bool {
	return slices.ContainsFunc(s.builders, func(b *builder) bool {
		has := slices.Concat(b.SupportedFeatures, b.MandatoryFeatures)
		lacks := func(f string) bool { return !slices.Contains(has, f) }
		unwanted := func(f string) bool { return !slices.Contains(d.RequiredFeatures, f) }
		return slices.Contains(b.Systems, d.System) && !slices.ContainsFunc(d.RequiredFeatures, lacks) && !slices.ContainsFunc(b.MandatoryFeatures, unwanted)
	})
}

func nobody(s shift, d nixcmd.Derivation, err error) error {
	wants := d.System
	if len(d.RequiredFeatures) > 0 {
		wants += " with " + strings.Join(d.RequiredFeatures, ", ")
	}
	e := &nobodyError{error: err, text: fmt.Sprintf("no machine can build %s: it wants %s", d.Path.Name(), wants)}
	var have []string
	for _, b := range s.builders {
		have = append(have, fmt.Sprintf("%s builds for %s with %s", b.Host.Name, strings.Join(b.Systems, ", "), or(strings.Join(slices.Concat(b.SupportedFeatures, b.MandatoryFeatures), ", "), "no features")))
	}
	e.hint = "add a builder that has it to [builders]; " + or(strings.Join(have, "; "), "no builder is at hand")
	return e
}
