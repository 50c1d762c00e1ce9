package recipes

import (
	"context"
	"errors"
	"io"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// PingHosts asks every host over ssh whether it answers, and how fast (-on=SELECTOR)
//
// Options: -on=SELECTOR, -json.
func PingHosts(ctx context.Context, on *string, json *bool) error {
	asJSON(json)
	return asking(ctx, text(on, everyone), nil, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Ping(ctx, s.hosts)
	})
}

// Plan shows what deploying would do to each host, and does none of it (-on=SELECTOR, -markdown)
//
// Options: -on=SELECTOR, -json, -fresh, -markdown: GitHub's Markdown to standard output.
// Changed systems are built and copied to their hosts, which say what activating
// them would do. What a host runs, its profile and its boot entry stay as they are.
// -prebuilt=FILE, -otherHost: of systems that were built elsewhere, as with deployAll.
func Plan(ctx context.Context, on *string, json, markdown, fresh *bool, prebuilt *string, otherHost *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{OtherHost: is(otherHost)}
	hosts, err := prebuiltFrom(prebuilt, on, &opt)
	if err != nil {
		return err
	}
	if !is(markdown) {
		return asking(ctx, hosts, becoming(nil), deploy("", opt, new(true)))
	}
	if forPrograms() {
		return failure(errors.New("-markdown and JSON both want standard output; choose one"))
	}
	return answering(ctx, hosts, becoming(nil), deploy("", opt, new(true)), markdownOf)
}

// DryRun shows what deploying HOST would do: packages, units, reboot, what to copy
//
// Options: -json, -fresh. It is quickDeploy HOST -dry; see plan.
func DryRun(ctx context.Context, host string, json, fresh *bool) error {
	return QuickDeploy(ctx, host, new(true), json, nil, nil, fresh, nil, nil)
}

// Diff shows what deploying HOST would do as dryRun does, with every package and unit
//
// Options: -json, -fresh, -toplevel=PATH, -otherHost (see deploy).
func Diff(ctx context.Context, host string, json, fresh *bool, toplevel *string, otherHost *bool) error {
	asJSON(json)
	anew(fresh)
	system, err := systemOf(toplevel)
	if err != nil {
		return err
	}
	return answering(ctx, host, becoming(ofOne(system, nil)), deployOne("", system, fleet.DeployOptions{OtherHost: is(otherHost)}, new(true)), ui.Differences)
}

func markdownOf(w io.Writer, r *fleet.Report) { io.WriteString(w, ui.Markdown(r)) }
