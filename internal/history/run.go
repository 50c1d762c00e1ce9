package history

import (
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Run is one run of a recipe.
type Run struct {
	// ID counts runs from 1; a later run has a higher one, whatever the clock said.
	ID int64
	// Target is the recipe, as quickDeploy; Command is all that was typed.
	Target, Command string
	// Changes says that it was to change hosts: a deployment, not a test.
	Changes bool
	// Started is when it began, by the clock of that time.
	Started time.Time
	// Over reports whether it came to its end; one that did not is under way, or
	// was killed. What follows is zero then, and Hosts nil.
	Over bool
	// Duration is wall time.
	Duration time.Duration
	// ExitCode is what the process should have exited with; see fleet.ExitOK.
	ExitCode int
	// Cancelled reports whether it was cancelled before its end.
	Cancelled bool
	// User is who started it, Machine where.
	User, Machine string
	// Revision is the commit of the flake, "" if that is not known; Dirty says that
	// there were changes besides.
	Revision string
	Dirty    bool
	// Hosts are the hosts, in the order of the run's report.
	Hosts []Host
}

// Host is what became of one host in a run.
type Host struct {
	// Name is the host's name.
	Name string
	// Outcome is what became of it, Reason why, as in fleet.Result.
	Outcome fleet.Outcome
	Reason  string
	// Step is the step that failed, Error its cause on one line; "" if none did.
	Step  fleet.Step
	Error string
	// Live, Wanted, BuiltOn, Duration, Build and Evaluation are as in fleet.Result.
	Live, Wanted string
	BuiltOn      string
	Duration     time.Duration
	Build        fleet.BuildWork
	Evaluation   fleet.Verdict
	// Steps are its steps, in the order in which they ended; all processor time is
	// in UserTime.
	Steps []fleet.StepTime
	// Detail is kept for the latest runs only; the zero value is none.
	Detail Detail
}

// Detail is what a person wants to know of a host's run while it is recent.
type Detail struct {
	// Lines and Hint are what a failed step left to tell; see fleet.StepError.
	Lines []string `json:"lines,omitempty"`
	Hint  string   `json:"hint,omitempty"`
	// Health are the answers of the health checks.
	Health []Check `json:"health,omitempty"`
	// RebootFor names what takes effect only after a reboot.
	RebootFor []string `json:"reboot_for,omitempty"`
	// Changes are what a deployment has changed, or tried to; nil if it did not come to
	// that.
	Changes *Changes `json:"changes,omitempty"`
	// Cache is what came from the fleet's cache; see fleet.CacheUse.
	Cache fleet.CacheUse `json:"cache,omitzero"`
}

// Check is what came of a health check; see fleet.HealthResult.
type Check struct {
	// Name is the check's name, OK whether it passed, FailedBefore whether it had
	// failed before the deployment and was not held against it.
	Name         string `json:"name"`
	OK           bool   `json:"ok"`
	FailedBefore bool   `json:"failed_before,omitempty"`
	// Answer is what the last try gave, Duration wall time over all tries.
	Answer   string        `json:"answer,omitempty"`
	Duration time.Duration `json:"nanoseconds"`
}
