package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/status.sh
var statusScript string

// HostStatus is what a host said of itself in one session, beyond what a
// deployment needs to know. Texts are the host's own words.
type HostStatus struct {
	Survey
	// NixOS is the version in the live system's nixos-version.
	NixOS string
	// Revision is the flake's revision that the live system was built from
	// (system.configurationRevision); empty if it was not set.
	Revision string
	// GenerationMade is how long ago, by the host's clock, the profile's
	// generation was made; 0 if unknown.
	GenerationMade time.Duration
	// Uptime is how long the host's kernel has been running; 0 if unknown.
	Uptime time.Duration
	// StoreBytes is the size of the store's file system, 0 if unknown.
	StoreBytes int64
	// State is what `systemctl is-system-running` says, such as "running".
	State string
	// FailedUnits are systemd's failed units, 200 at most; nil if there are none.
	FailedUnits []string
	// Activating are the units of activations under way; nil if there are none.
	Activating []string
	// SwitchLocked reports whether something holds switch-to-configuration's lock.
	SwitchLocked bool
	// Inhibitors is the live system's switch-inhibitors, JSON; empty if it has
	// none.
	Inhibitors string
	// RoundTrip is how long the smallest remote command took.
	RoundTrip time.Duration
	// DiffersSince is since when it is known that the host does not run and boot what
	// the flake wants. Status does not remember it: whoever does may set it. The zero
	// time is not known.
	DiffersSince time.Time
}

// Busy says who is changing the host right now; empty if nobody is.
func (s *HostStatus) Busy() string {
	switch {
	case s.Deployment != nil && s.Deployment.State == DeploymentWaits:
		return "a deployment waits to be confirmed" + s.Deployment.who()
	case s.Deployment != nil && s.Deployment.State == DeploymentGoesBack:
		return s.Deployment.goesBack() + s.Deployment.begun()
	case len(s.Activating) > 0 && s.Deployment != nil && s.Deployment.State == DeploymentRuns:
		return "a deployment is under way" + s.Deployment.who() + ": " + strings.Join(s.Activating, ", ")
	case len(s.Activating) > 0:
		return "an activation is under way: " + strings.Join(s.Activating, ", ")
	case s.SwitchLocked:
		return "another switch-to-configuration is running"
	}
	return ""
}

// busy is Busy as an error that says what to do, nil if nothing goes on.
func (s *HostStatus) busy(host string) error {
	by := s.Busy()
	if by == "" {
		return nil
	}
	e := &lockedError{host: host}
	e.heed(s.Deployment)
	hint := e.Hint()
	if e.back != "" { // which by says already
		hint = "wait for that to end, then try again"
	}
	return &hintedError{errors.New(by), hint}
}

// StatusOptions are options of Fleet.Status. The zero value is useful.
type StatusOptions struct {
	// HostsOnly asks no Nix what the flake wants.
	HostsOnly bool
}

// Status asks each host how it is, and at the same time Nix which system the
// flake wants for it; see Result.Status and Result.Wanted. Nothing is changed.
// A host that answered is Reached; one whose system cannot be evaluated is
// Failed, and has its Status all the same.
func (f *Fleet) Status(ctx context.Context, hosts []Host, opt StatusOptions) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		evaluating, giveUp := context.WithCancelCause(ctx)
		defer giveUp(nil)
		var evalErr error
		var wg sync.WaitGroup
		if !opt.HostsOnly {
			wg.Go(func() { _, evalErr = j.evaluate(evaluating, false) })
		}
		_, _, err := j.status(ctx)
		if err != nil {
			giveUp(errOtherHalfFailed)
		}
		wg.Wait()
		if err == nil {
			err = evalErr
		}
		if err != nil {
			return "", err
		}
		return Reached, nil
	})
}

// status connects to the host, asks it for all there is to know, and times the
// smallest command.
func (j *job) status(ctx context.Context) (conn Remote, s *HostStatus, err error) {
	err = j.step(ctx, StepSurvey, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
		conn, err = j.connect(ctx, func(ctx context.Context, r Remote) (err error) {
			s, err = askStatus(ctx, r, j.host.Become)
			return err
		})
		if err != nil {
			return "", err
		}
		if s.RoundTrip, err = roundTrip(ctx, conn); err != nil {
			return "", err
		}
		j.set(func(r *Result) {
			r.Live, r.RebootFor, r.RoundTrip, r.Status = s.Current, s.RebootPending, s.RoundTrip, s
		})
		j.becomesRoot(s.Root)
		return s.String(), nil
	})
	return conn, s, err
}

// roundTrip times the smallest command.
func roundTrip(ctx context.Context, conn Remote) (time.Duration, error) {
	began := time.Now()
	_, err := conn.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
	return time.Since(began), err
}

// askStatus asks the host, in one session.
func askStatus(ctx context.Context, r Remote, become Become) (*HostStatus, error) {
	res, err := r.Run(ctx, surveyCmd(statusScript+surveyScript, become))
	if err != nil {
		return nil, err
	}
	s, err := parseStatus(string(res.Stdout))
	if err == nil {
		s.become = become
	}
	return s, err
}

func parseStatus(text string) (*HostStatus, error) {
	survey, err := parseSurvey(text)
	if err != nil {
		return nil, err
	}
	a, err := parseAnswer(text)
	if err != nil {
		return nil, err
	}
	get := func(key string) string { return a.values["status/"+key] }
	number := func(key string) int64 {
		n, err := strconv.ParseInt(get(key), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	survey.Nix = or(get("nix"), survey.Nix)
	s := &HostStatus{
		Survey: survey, NixOS: get("nixos"), Revision: get("revision"), State: get("state"),
		FailedUnits: strings.Fields(get("failed")), Activating: strings.Fields(get("activating")),
		SwitchLocked: get("lock") == "held", Inhibitors: get("inhibitors"),
	}
	const most = 1 << 40 // more than any clock or disk says, and less than overflows
	if made, now := number("generation-made"), number("now"); made > 0 && now >= made && now-made < most>>10 {
		s.GenerationMade = time.Duration(max(1, now-made)) * time.Second
	}
	if up, err := strconv.ParseFloat(get("uptime"), 64); err == nil && up > 0 && up < most>>10 {
		s.Uptime = time.Duration(up * float64(time.Second))
	}
	if kib := number("store-kib"); kib < most {
		s.StoreBytes = kib * 1024
	}
	if len(s.FailedUnits) == 0 {
		s.FailedUnits = nil
	}
	if len(s.Activating) == 0 {
		s.Activating = nil
	}
	return s, nil
}

// Standing is how a host stands to the flake.
type Standing string

// The standings. Every result of Status has exactly one.
const (
	// StandingCurrent: it runs and boots what the flake wants, or runs the wanted
	// specialisation of it.
	StandingCurrent Standing = "up to date"
	// StandingDiffers: it runs or boots something else.
	StandingDiffers Standing = "differs"
	// StandingUnknown: it answered, and the flake was not asked.
	StandingUnknown Standing = "answers"
	// StandingNoEvaluation: it answered, but its system cannot be evaluated.
	StandingNoEvaluation Standing = "eval error"
	// StandingUnreachable: no connection could be made or kept.
	StandingUnreachable Standing = "unreachable"
	// StandingFailed: it could not be asked for another reason.
	StandingFailed Standing = "failed"
	// StandingCancelled: the run was cancelled before it had answered.
	StandingCancelled Standing = "cancelled"
)

// Standing is how the host stands to the flake, after Status.
func (r Result) Standing() Standing {
	var se *StepError
	switch s := r.Status; {
	case r.Outcome == Cancelled:
		return StandingCancelled
	case r.Outcome == Unreachable:
		return StandingUnreachable
	case s == nil:
		return StandingFailed
	case errors.As(r.Err, &se) && se.Step == StepEvaluate:
		return StandingNoEvaluation
	case r.Err != nil:
		return StandingFailed
	case r.Wanted == "":
		return StandingUnknown
	case s.runs(r.Wanted, r.Host.Specialisation) && s.Profile == r.Wanted && !s.Uncommitted:
		return StandingCurrent
	}
	return StandingDiffers
}

// Attention says, in a sentence each, what about a host a person should look
// at; nil for nothing. It is worked out from Status, and from Wanted if known.
func (r Result) Attention() []string {
	s := r.Status
	if s == nil {
		return nil
	}
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch d := s.Deployment; {
	case d != nil && d.State != DeploymentRuns:
		add("%s", d.note(r.Host.Name))
	case s.Busy() != "":
		add("%s", s.Busy())
	}
	if s.Restored != nil {
		add("%s", s.Restored.String())
	}
	if s.Uncommitted {
		add("%s", s.bootsUnknown())
	}
	staged := s.Busy() == "" && r.Wanted != "" && s.Profile == r.Wanted && s.liveToplevel() != s.Profile && r.Host.Specialisation == "" && !s.Uncommitted
	switch {
	case staged:
		add("wanted is %s, which it boots: `reboot %s`", short(r.Wanted), r.Host.Name)
	case r.Wanted != "" && !s.runs(r.Wanted, r.Host.Specialisation):
		add("wanted is %s", specialised(r.Wanted, r.Host.Specialisation))
	}
	if !s.DiffersSince.IsZero() && r.Standing() == StandingDiffers {
		add("differs from the flake since %s at least", s.DiffersSince.Local().Format("2006-01-02 15:04"))
	}
	switch {
	case staged:
	case s.liveToplevel() != s.Profile && s.Uncommitted:
	case s.liveToplevel() != s.Profile:
		add("boots %s", short(s.Profile))
	case len(s.Specialisations) > 0 && !slices.Contains(s.Specialisations, r.Host.Specialisation):
		add("runs %s", s.live())
	}
	if len(s.RebootPending) > 0 {
		add("reboot pending: %s", strings.Join(s.RebootPending, ", "))
	}
	if len(s.FailedUnits) > 0 {
		add("failed: %s", strings.Join(s.FailedUnits, ", "))
	}
	if s.FreeBytes >= 0 && s.FreeBytes < 1<<30 {
		add("only %d MiB free for the store", s.FreeBytes>>20)
	}
	if err := s.unfit(); err != nil {
		add("cannot be deployed to: %v", err)
	}
	return notes
}

// GenerationNumber is the number in Generation, 0 if there is none.
func (s Survey) GenerationNumber() int {
	parts := strings.Split(s.Generation, "-")
	if len(parts) != 3 || !slices.Equal([]string{parts[0], parts[2]}, []string{"system", "link"}) {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Short is a system's path as people tell them apart: the first characters of
// its hash, then the host and the version of its name; "nothing" for "".
func Short(p nixcmd.StorePath) string { return short(p) }
