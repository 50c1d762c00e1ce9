package fleet

import (
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/sshpool"
)

// Become says how scripts are to become root on a host whose remote user is not
// root. Only sudo may ask for a password; see Config.Password.
type Become string

// The values of Become. "" means BecomeAuto.
const (
	// BecomeAuto: what works there of sudo, doas and run0, tried in this order.
	BecomeAuto Become = "auto"
	// BecomeNone: the remote user must be root.
	BecomeNone Become = "none"
	// BecomeSudo: sudo(8).
	BecomeSudo Become = "sudo"
	// BecomeDoas: doas(1).
	BecomeDoas Become = "doas"
	// BecomeRun0: run0(1) of systemd 256 and later. It is systemd-run that is
	// called, which asks polkit the same.
	BecomeRun0 Become = "run0"
)

// ways are the values of Become, as fleet.toml has them.
func ways() []string {
	return []string{string(BecomeAuto), string(BecomeNone), string(BecomeSudo), string(BecomeDoas), string(BecomeRun0)}
}

func (b Become) known() bool { return b == "" || slices.Contains(ways(), string(b)) }

// Root says how scripts become root on a host.
type Root string

// The ways of becoming root.
const (
	// RootAlready: the remote user is root.
	RootAlready Root = "yes"
	// RootSudo: sudo works without a password.
	RootSudo Root = "sudo"
	// RootSudoPassword: sudo is there and refuses to work without a password, which
	// it does as well for users that it would refuse with one.
	RootSudoPassword Root = "sudo-password"
	// RootDoas: doas does.
	RootDoas Root = "doas"
	// RootRun0: systemd does, by polkit's leave.
	RootRun0 Root = "run0"
	// RootNo: none of those that were tried.
	RootNo Root = "no"
)

// rootOf is what a host said, RootNo if that means nothing.
func rootOf(text string) Root {
	switch r := Root(text); r {
	case RootAlready, RootSudo, RootSudoPassword, RootDoas, RootRun0:
		return r
	}
	return RootNo
}

// script is the command that runs a script as root, by any way but
// RootSudoPassword; see job.asRoot. As in sshpool.Cmd, the
// braces make the shell read all of it before it runs any.
func (r Root) script(text string, args ...string) sshpool.Cmd {
	as := r.prefix()
	if as == nil {
		return sshpool.Cmd{Script: text, Argv: args}
	}
	return sshpool.Cmd{
		Argv:  append(append(as, "sh", "-s", "--"), args...),
		Stdin: strings.NewReader(whole(text)),
	}
}

func whole(script string) string { return "{ :; " + script + "\n}\n" }

// prefix is what comes before a command to be run as root; nil if nothing need
// to. remote/survey.sh tries the same.
//
// What systemd starts outlives a connection that drops, and ignores that nobody
// reads it any more; it must not, or it would still be there when the same
// script is run again.
func (r Root) prefix() []string {
	switch r {
	case RootSudo:
		return []string{"sudo", "-n"}
	case RootDoas:
		return []string{"doas", "-n"}
	case RootRun0:
		return []string{"systemd-run", "--uid=0", "--pipe", "--wait", "--quiet", "--collect", "--service-type=exec",
			"--no-ask-password", "--expand-environment=no", "-p", "IgnoreSIGPIPE=no", "--"}
	}
	return nil
}

// noRootError says that no way of becoming root works on a host without a password.
func noRootError(s Survey) *unfitError {
	user := "the remote user"
	if s.User != "" {
		user += " " + s.User
	}
	switch s.become {
	case BecomeNone:
		return &unfitError{user + ` is not root, and become = "none" allows no other`,
			`set user = "root" for the host, or become = "auto"`}
	case BecomeSudo:
		return &unfitError{user + " is not root and may not use sudo without a password" + s.tried(),
			`allow that in the host's security.sudo (NOPASSWD), set user = "root", or become = "auto"`}
	case BecomeDoas:
		return &unfitError{user + " is not root and may not use doas without a password" + s.tried(),
			`doas takes a password on a terminal only, which it does not have here: allow the user to do without in security.doas (noPass), set user = "root", or become = "auto"`}
	case BecomeRun0:
		return &unfitError{user + " is not root and may not use run0 without a password" + s.tried(),
			`run0 needs systemd 256 there, and a polkit rule that lets the user manage units; or set user = "root", or become = "auto"`}
	}
	return &unfitError{user + " is neither root nor may use sudo, doas or run0 without a password" + s.tried(),
		`set user = "root" for the host, or allow the user sudo`}
}

// tried tells what came of the ways that were tried, in brackets; "" if nothing is
// known of that.
func (s Survey) tried() string {
	var all []string
	for _, tried := range s.ways {
		way, why, _ := strings.Cut(tried, ":")
		if !Become(way).known() {
			continue
		}
		switch why {
		case "missing":
			all = append(all, "there is no "+way)
		case "silent":
			all = append(all, way+" does not answer")
		case "refuses":
			all = append(all, way+" refuses")
		}
	}
	if all == nil {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}
