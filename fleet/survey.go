package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/survey.sh
var surveyScript string

// Survey is what a host said of itself in one session. A path is empty if the
// host has none, or one that is not a store path.
type Survey struct {
	// Current is the live system (/run/current-system), Booted the one that
	// the machine started with, Profile the one that boots next
	// (/nix/var/nix/profiles/system).
	Current, Booted, Profile nixcmd.StorePath
	// Specialisations are the names of those of Profile's specialisations that are
	// live; nil if none is. As a rule it is at most one, but several may be the same
	// system.
	Specialisations []string
	// Uncommitted reports whether a deployment was cut short between setting
	// the profile and making the boot entry, so that the host may boot
	// something other than Profile. A commit that is at work leaves it so too.
	Uncommitted bool
	// Generation is the profile's link, such as "system-42-link".
	Generation string
	// BootID is the kernel's random id of this boot
	// (/proc/sys/kernel/random/boot_id).
	BootID string
	// Nix is where the host has its `nix`, and in a HostStatus the line that `nix
	// --version` prints; empty if the host has no Nix.
	Nix string
	// NixDaemon is where a command over ssh finds the program that Nix's copy
	// needs; empty if it does not.
	NixDaemon string
	// HostName is what its kernel calls it; empty if that is not known.
	HostName string
	// Systemd reports whether systemd runs the machine.
	Systemd bool
	// User is the name that the remote user has there; empty if it has none.
	User string
	// Root says how scripts become root there.
	Root Root
	// FreeBytes is the free space on the store's file system, -1 if unknown.
	FreeBytes int64
	// RebootPending names the parts in which the live system differs from the
	// booted one: of kernel, initrd, kernel-modules, kernel-params.
	RebootPending []string
	// Deployment is the one that has the host's lock; nil if none has.
	Deployment *HostDeployment
	// Restored tells of the last deployment that the host's guard rolled back, since
	// its last boot or the last deployment that went well; nil if none.
	Restored *Restored

	become Become   // what was tried
	ways   []string // what came of that, as "WAY:WHY"
}

// survey asks the host, in one session. Of the ways of becoming root it tries
// those that become says.
func survey(ctx context.Context, r Remote, become Become) (Survey, error) {
	res, err := r.Run(ctx, surveyCmd(surveyScript, become))
	if err != nil {
		return Survey{}, err
	}
	s, err := parseSurvey(string(res.Stdout))
	s.become = become
	return s, err
}

// surveyCmd runs a script that ends with survey.sh.
func surveyCmd(script string, become Become) sshpool.Cmd {
	return sshpool.Cmd{Script: script, Argv: []string{string(or(become, BecomeAuto))}}
}

func parseSurvey(text string) (Survey, error) {
	a, err := parseAnswer(text)
	if err != nil {
		return Survey{}, err
	}
	if a.values["flotilla-survey"] != "1" {
		return Survey{}, errors.New("the host's answer is not a survey: does its login shell print or run something else?")
	}
	s := Survey{
		Current: storePath(a.values["current"]), Booted: storePath(a.values["booted"]), Profile: storePath(a.values["profile"]),
		Uncommitted: a.values["uncommitted"] != "",
		Generation:  a.values["generation"], BootID: a.values["boot-id"], Nix: a.values["nix"], NixDaemon: a.values["nix-daemon"],
		HostName: a.values["host-name"],
		Systemd:  a.values["systemd"] == "yes", User: a.values["user"], Root: rootOf(a.values["root"]), FreeBytes: -1,
	}
	if kib, err := strconv.ParseInt(a.values["free-kib"], 10, 64); err == nil {
		s.FreeBytes = kib * 1024
	}
	s.Specialisations = strings.FieldsFunc(a.values["specialisations"], func(r rune) bool { return r == '/' })
	if len(s.Specialisations) == 0 {
		s.Specialisations = nil
	}
	if tried := strings.Fields(a.values["tried"]); len(tried) > 0 {
		s.ways = tried
	}
	s.RebootPending = rebootParts(a, "booted-system/", "current-system/")
	if len(s.Specialisations) > 0 && s.RebootPending != nil {
		// A specialisation is not booted, but the system that it is of.
		s.RebootPending = rebootParts(a, "booted-system/", "system/")
	}
	s.Deployment, s.Restored = deploymentOf(a), restoredOf(a)
	return s, nil
}

// storePath is what a host said if that is a store path, else empty.
func storePath(text string) nixcmd.StorePath {
	p, err := nixcmd.ParseStorePath(text)
	if err != nil {
		return ""
	}
	return p
}

// unfit says why a host that answered cannot be deployed to, or nil. Whether there is
// a password for one that wants it is not looked at; see job.unfit.
func (s Survey) unfit() error {
	switch {
	case s.Nix == "":
		return &unfitError{"there is no Nix on the host", "install NixOS there"}
	case s.NixDaemon == "":
		return noNixDaemon()
	case s.Root == RootNo:
		return noRootError(s)
	case !s.Systemd:
		return &unfitError{"the host is not run by systemd", "only NixOS hosts that were booted can be deployed to"}
	}
	return nil
}

func noNixDaemon() *unfitError {
	return &unfitError{"there is no nix-daemon in the PATH that a command over ssh has on the host",
		"install NixOS there, or mend the PATH of the remote user's non-interactive shell"}
}

type unfitError struct{ text, hint string }

func (e *unfitError) Error() string { return e.text }
func (e *unfitError) Hint() string  { return e.hint }

// String says in one line what the host runs.
func (s Survey) String() string {
	return fmt.Sprintf("%s, %d MiB free", s.state(), s.FreeBytes>>20)
}

// state says what the host runs and boots.
func (s Survey) state() string {
	switch {
	case s.Uncommitted:
		return fmt.Sprintf("runs %s; %s", s.live(), s.bootsUnknown())
	case s.Current == s.Profile:
		return "runs and boots " + short(s.Current)
	}
	return fmt.Sprintf("runs %s, boots %s", s.live(), short(s.Profile))
}

// bootsUnknown says, of a host that is Uncommitted, what it boots.
func (s Survey) bootsUnknown() string {
	if s.commits() {
		return "what it boots is not known: a commit is at work"
	}
	return fmt.Sprintf("what it boots is not known: a commit was cut short; its profile is %s", short(s.Profile))
}

// unfinished says why what it boots is not known, of Uncommitted.
func (s Survey) unfinished() string {
	if s.commits() {
		return "a deployment is just making its boot entry"
	}
	return "an earlier deployment was cut short before its boot entry was made"
}

func (s Survey) commits() bool { return s.Deployment != nil && s.Deployment.State == DeploymentRuns }

// Boots says what the host boots, and known is false if that cannot be told.
func (s Survey) Boots() (text string, known bool) {
	if s.Uncommitted {
		return strings.TrimPrefix(s.bootsUnknown(), "what it boots is "), false
	}
	return string(s.Profile), true
}
