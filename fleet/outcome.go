package fleet

// Outcome is what became of one host in a run. The set is closed.
type Outcome string

// The outcomes. Every result has exactly one.
const (
	// Unchanged: the host already runs and boots what is wanted.
	Unchanged Outcome = "unchanged"
	// Evaluated: the host's system was evaluated, which was all that was asked.
	Evaluated Outcome = "evaluated"
	// Built: the host's system was evaluated and built, which was all that
	// was asked.
	Built Outcome = "built"
	// Reached: the host answered, and passed its health checks if those were
	// asked for, which was all that was asked.
	Reached Outcome = "reached"
	// Ran: the command ran there and exited with 0, which was all that was asked.
	Ran Outcome = "ran"
	// Compared: the difference was worked out, which was all that was asked.
	Compared Outcome = "compared"
	// Switched: the host runs and boots the new system, and said so.
	Switched Outcome = "switched"
	// Activated: the host runs the new system and boots what it did, which was all that
	// was asked.
	Activated Outcome = "activated"
	// Staged: the host will run the new system after its next boot.
	Staged Outcome = "staged"
	// SwitchedNeedsReboot: as Switched, but kernel, initrd, modules or kernel
	// parameters take effect only at the next boot.
	SwitchedNeedsReboot Outcome = "switched-needs-reboot"
	// Rebooted: the host has rebooted, and runs the system that it was to boot.
	Rebooted Outcome = "rebooted"
	// Degraded: the new system is live, but units or health checks failed; it was
	// not made the one that boots. Of Fleet.Health, and after a reboot: some checks
	// failed.
	Degraded Outcome = "degraded"
	// RolledBack: the new system was tried and the old one restored.
	RolledBack Outcome = "rolled-back"
	// Unreachable: no connection could be made or kept.
	Unreachable Outcome = "unreachable"
	// Locked: someone else is changing the host.
	Locked Outcome = "locked"
	// Failed: a step went wrong; the result's error says which and why.
	Failed Outcome = "failed"
	// Skipped: the host was not tried, by policy.
	Skipped Outcome = "skipped"
	// Cancelled: the run was cancelled before the host was done.
	Cancelled Outcome = "cancelled"
)

// Outcomes are all of them, in no particular order.
func Outcomes() []Outcome {
	return []Outcome{Unchanged, Evaluated, Built, Reached, Ran, Compared, Switched, Activated, Staged, SwitchedNeedsReboot, Rebooted,
		Degraded, RolledBack, Unreachable, Locked, Failed, Skipped, Cancelled}
}

// OK reports whether the outcome is what the user asked for.
func (o Outcome) OK() bool {
	switch o {
	case Unchanged, Evaluated, Built, Reached, Ran, Compared, Switched, Activated, Staged, SwitchedNeedsReboot, Rebooted:
		return true
	}
	return false
}

// The exit codes of a run; a promise to scripts. 2 is left to Mage.
const (
	// ExitOK: every host has a good outcome.
	ExitOK = 0
	// ExitFailed: every host failed, or nothing could be tried.
	ExitFailed = 1
	// ExitSomeFailed: some hosts failed, others did not.
	ExitSomeFailed = 3
	// ExitRolledBack: at least one host was rolled back.
	ExitRolledBack = 4
	// ExitCancelled: the run was cancelled, by Ctrl-C for one.
	ExitCancelled = 130
)
