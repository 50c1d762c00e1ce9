package fleet

import (
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Result is what became of one host.
type Result struct {
	// Host is the host.
	Host Host
	// Outcome is what became of it.
	Outcome Outcome
	// Reason is one sentence that says why; empty if the outcome says it all.
	Reason string
	// Err is a *StepError if the outcome is not OK, else nil. A Skipped host has
	// none: Reason says why it was not tried.
	Err error
	// Live is the system the host ran when it was surveyed, Wanted the one the
	// flake or a rollback wants; empty where that was not found out.
	Live, Wanted nixcmd.StorePath
	// BuiltOn is the name of the host whose store Wanted was built in; empty if
	// that is this machine's, or if nothing was built.
	BuiltOn string
	// CopiedFrom is the name of the host that copied Wanted straight to this one; empty if
	// it came from this machine or through it, or was not copied.
	CopiedFrom string
	// Evaluation says whether the host was evaluated, and why.
	Evaluation Verdict
	// Steps are the steps taken, in the order in which they ended.
	Steps []StepTime
	// Duration is wall time from the start of the run to the host's end.
	Duration time.Duration
	// RoundTrip is how long the smallest remote command took; set by Ping and
	// Status.
	RoundTrip time.Duration
	// Handshake is how long a new connection took; 0 if one was reused.
	Handshake time.Duration
	// Build is what building its system took.
	Build BuildWork
	// Cache is how much of it came to the host from the fleet's cache.
	Cache CacheUse
	// NotPushed says why its system was not brought to the fleet's cache though it was to
	// be; "" if it was, or was not to be, or that is the error.
	NotPushed string
	// Builders says which of Inventory.Builders built how many of those derivations, this
	// machine among them, most first; nil if it was not theirs to build.
	Builders []BuilderShare
	// Rebuilt are the derivations that Rebuild built, in the order in which they
	// ended; nil for every other run.
	Rebuilt []DerivationTime
	// Difference is set by Plan, nil if nothing of it could be found out; and by Deploy
	// and Rollback for a host that came to its activation.
	Difference *Difference
	// Health is what came of the host's health checks, in the order of fleet.toml;
	// nil if none were made.
	Health []HealthResult
	// Status is set by Status for a host that answered.
	Status *HostStatus
	// Generations is set by Generations, in order of their numbers; empty, not nil,
	// for a host that answered and has none.
	Generations []Generation
	// Generation is where Rollback and PlanRollback go back to, and Wanted its
	// system; nil if that was not found out.
	Generation *Generation
	// Checks are set by PreDeploy.
	Checks []Check
	// Analysis is set by Analyze.
	Analysis *Analysis
	// Change is set by Affected.
	Change *Change
	// RebootFor names what takes effect only after a reboot; nil for nothing.
	RebootFor []string
}

// BuilderShare is what one builder did.
type BuilderShare struct {
	// Builder is the builder's name, empty for this machine.
	Builder string
	// Derivations counts those that it built last: one that was begun again after a builder
	// was lost counts for the one that completed it.
	Derivations int
}

// BuildWork is what a build took, on this machine and those it builds on. The
// zero value is that all was there.
type BuildWork struct {
	// Derivations counts those that were built.
	Derivations int
	// Paths counts store paths that were downloaded from substituters or remote
	// builders, Bytes sums their contents (NAR size, unpacked), as Nix's own log
	// tells.
	Paths int
	Bytes int64
}

// StepTime is how long one step of one host took, in wall time. Waiting for a
// stage's limit is not counted.
type StepTime struct {
	// Step is the step.
	Step Step
	// Began is when it began, as wall time from the start of the run.
	Began time.Duration
	// Duration is its wall time.
	Duration time.Duration
	// Usage is what its processes cost.
	Usage Usage
}

// Report is what came of a run.
type Report struct {
	// Results holds one result per host, in the order in which the hosts were
	// given; Select gives inventory order.
	Results []Result
	// Started is when the run began, Duration its wall time.
	Started  time.Time
	Duration time.Duration
	// Planned reports whether the run only worked out what deploying would do.
	Planned bool
	// Cancelled reports whether the run was cancelled before its end.
	Cancelled bool
	// Revision is the state of the flake that hosts were evaluated from, or held to be
	// unchanged; nil if the run had no need to look at it, or if it is not in Git.
	Revision *Revision
}

// Revision is a state of the repository that a flake is in.
type Revision struct {
	// Commit is the commit that was checked out, in full; empty before the first.
	Commit string
	// Dirty says that tracked files differed from it, as Nix sees it.
	Dirty bool
}

// Err holds the errors of all hosts that did not end well, as a
// *multierror.Error in inventory order, or nil if there are none.
func (r *Report) Err() error {
	var all *multierror.Error
	for _, res := range r.Results {
		if res.Err != nil {
			all = multierror.Append(all, res.Err)
		}
	}
	return all.ErrorOrNil()
}

// ExitCode is the code a program should exit with: one of the Exit constants.
func (r *Report) ExitCode() int {
	failed, rolledBack := 0, false
	for _, res := range r.Results {
		if !res.Outcome.OK() {
			failed++
		}
		rolledBack = rolledBack || res.Outcome == RolledBack
	}
	switch {
	case r.Cancelled:
		return ExitCancelled
	case failed == 0:
		return ExitOK
	case rolledBack:
		return ExitRolledBack
	case failed == len(r.Results):
		return ExitFailed
	}
	return ExitSomeFailed
}

// Count is how many hosts have one of the outcomes.
func (r *Report) Count(outcomes ...Outcome) int {
	n := 0
	for _, res := range r.Results {
		for _, o := range outcomes {
			if res.Outcome == o {
				n++
			}
		}
	}
	return n
}
