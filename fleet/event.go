package fleet

import "time"

// Step names a part of the work on one host.
type Step string

// The steps, in the order in which they begin. Survey and Evaluate overlap.
const (
	// StepSurvey asks the host what it runs.
	StepSurvey Step = "survey"
	// StepEvaluate finds out which system the flake wants.
	StepEvaluate Step = "evaluate"
	// StepBuild makes that system.
	StepBuild Step = "build"
	// StepCopy brings its closure to the host.
	StepCopy Step = "copy"
	// StepPush brings it to the fleet's cache, while other steps go on.
	StepPush Step = "push"
	// StepWait waits for the waves before the host's; see Rollout.
	StepWait Step = "wait"
	// StepActivate makes it the live system.
	StepActivate Step = "activate"
	// StepHealth makes the host's health checks.
	StepHealth Step = "health"
	// StepCommit verifies the live system and makes it the one that boots.
	StepCommit Step = "commit"
	// StepRestore brings the old system back after one of the three before it went
	// wrong.
	StepRestore Step = "restore"
	// StepReboot reboots it, and waits until it is back.
	StepReboot Step = "reboot"
	// StepCompare works out the difference between two systems.
	StepCompare Step = "compare"
	// StepExec runs a command of the user's.
	StepExec Step = "exec"
)

// Kind says what an Event tells.
type Kind string

// The kinds of events.
const (
	// KindStarted: a step began.
	KindStarted Kind = "started"
	// KindDone: a step ended well; Duration says how long it took and Text, if
	// set, what came of it.
	KindDone Kind = "done"
	// KindFailed: a step ended with Err. Text, if set, says why the host was evaluated.
	KindFailed Kind = "failed"
	// KindGivenUp: a step was stopped because the host would get no further:
	// another of its steps had failed, or no further host is to be started; or because
	// what it needs has to be made again, and then it.
	KindGivenUp Kind = "given-up"
	// KindLog: Text is one line that the step's command printed.
	KindLog Kind = "log"
	// KindWarning: Text is something the user should know.
	KindWarning Kind = "warning"
	// KindProgress: Text says what the step is doing now; the next such event
	// of the host replaces it.
	KindProgress Kind = "progress"
	// KindDecided: Text says whether the host will be deployed, and why.
	KindDecided Kind = "decided"
	// KindExpected: the host's turn is still to come; Left is set.
	KindExpected Kind = "expected"
	// KindResult: the host is done; Result is set.
	KindResult Kind = "result"
)

// Event is one thing that happened in a run.
type Event struct {
	// Time is when it happened.
	Time time.Time
	// Host is the host's name; empty for a KindWarning that is not of one host.
	Host string
	// Step is the step concerned; empty if none is.
	Step Step
	// Kind says which of the other fields are set.
	Kind Kind
	// Text is for people; it may hold anything a program printed, including
	// control characters.
	Text string
	// Stderr says of a KindLog of StepExec that the line was printed on standard
	// error.
	Stderr bool
	// Done and Expected count what KindProgress tells of: derivations and paths
	// of a build, paths of a copy, health checks. Expected may change; 0 if it is not known.
	Done, Expected int
	// Bytes and BytesExpected are how much a build has fetched, or a copy sent, and
	// how much that will be in all, as Nix archives (NAR size). BytesExpected may
	// change; both are 0 if they are not known.
	Bytes, BytesExpected int64
	// Rate is how many bytes a second a copy has sent lately, and StepLeft how long it
	// still takes at that, set for KindProgress; 0 if that is not known.
	Rate     int64
	StepLeft time.Duration
	// Usual is how long the step takes as a rule, set for KindStarted. Left is how
	// long the host's work will take from this event on, set for KindStarted,
	// KindDone, KindDecided and KindExpected. Both are wall time without waiting,
	// from earlier runs; 0 if that is not known.
	Usual, Left time.Duration
	// Duration is wall time; 0 if it does not apply.
	Duration time.Duration
	// Usage is what the step's processes cost; set for KindDone, where it is
	// known.
	Usage Usage
	// Err is set for KindFailed. Cancelled says of one that the step did not go wrong: the
	// run was cancelled, or the step is no longer waited for.
	Err       error
	Cancelled bool
	// Result is set for KindResult.
	Result *Result
}

// Sink is told what happens. Events come one at a time, from whichever
// goroutine they happen in; a Sink must not wait for the run.
type Sink interface {
	// Event takes in one event.
	Event(Event)
}

// SinkFunc is a function that serves as a Sink.
type SinkFunc func(Event)

// Event calls f.
func (f SinkFunc) Event(e Event) { f(e) }
