package sshpool

import (
	"strconv"
	"strings"
	"time"
)

// forced appends the settings no ssh_config(5) may change: nobody is there to
// answer a question, and the output belongs to the remote command alone.
func forced(a []string) []string {
	return options(a,
		"BatchMode=yes",
		"ClearAllForwardings=yes",
		"EscapeChar=none",
		"ForwardAgent=no",
		"ForwardX11=no",
		"RemoteCommand=none",
		"RequestTTY=no")
}

// noFallback keeps ssh from dialling when the control socket is dead: its
// direct connection would go through a program that ends at once.
const noFallback = "ProxyCommand=false"

// masterOrphanLife ends a master that its pool was to end but did not live to.
const masterOrphanLife = 10 * time.Minute

// masterArgs starts the master of a target in the background, with the settings of the way to it.
func masterArgs(c Config, t Target, way []string, sock, log string) []string {
	persist := c.Persist
	if persist < 0 {
		persist = masterOrphanLife
	}
	a := start(c, log, "INFO")
	a = append(a, "-N", "-f")
	a = options(a, "ControlMaster=yes", "ControlPath="+sock, "ControlPersist="+seconds(persist))
	a = options(a, way...) // before any ProxyJump: the first one counts
	a = options(a, t.Options...)
	a = defaults(a, c)
	return destination(a, t)
}

// sessionArgs runs a command over the master at sock, or fails.
func sessionArgs(c Config, t Target, sock, log, command string) []string {
	a := start(c, log, "DEBUG2")
	a = options(a, "ControlMaster=no", "ControlPath="+sock, "ControlPersist=no", noFallback)
	a = options(a, t.Options...)
	a = options(a, "ConnectTimeout="+seconds(c.ConnectTimeout))
	return append(destination(a, t), command)
}

// freshArgs runs a command over a connection of its own, with the settings of the way to it.
func freshArgs(c Config, t Target, way []string, log, command string) []string {
	a := start(c, log, "DEBUG1")
	a = options(a, "ControlMaster=no", "ControlPath=none", "ControlPersist=no")
	a = options(a, way...)
	a = options(a, t.Options...)
	a = defaults(a, c)
	return append(destination(a, t), command)
}

// settingsArgs prints the settings that apply to a target, and connects to nothing.
func settingsArgs(c Config, t Target) []string {
	a := []string{c.Program, "-G"}
	if c.ConfigFile != "" {
		a = append(a, "-F", c.ConfigFile)
	}
	return destination(defaults(options(forced(a), t.Options...), c), t)
}

// nixOpts are the words for NIX_SSHOPTS. Nix brings its own PermitLocalCommand
// and waits for what that prints, so it is not among them. Without noFallback what
// it prints would come in the middle of Nix's protocol when a session is refused:
// Nix expects it only if no master is running.
func nixOpts(c Config, sock string) string {
	var a []string
	if c.ConfigFile != "" {
		a = append(a, "-F", c.ConfigFile)
	}
	a = forced(a)
	a = options(a, "ControlMaster=no", "ControlPath="+sock, "ControlPersist=no", noFallback)
	return strings.Join(a, " ")
}

// directNixOpts are the words for NIX_SSHOPTS with which nix makes connections of its
// own, under the same policies.
func directNixOpts(c Config, t Target) string {
	var a []string
	if c.ConfigFile != "" {
		a = append(a, "-F", c.ConfigFile)
	}
	a = options(forced(a), "ControlMaster=no", "ControlPath=none", "ControlPersist=no")
	a = defaults(options(a, t.Options...), c)
	if t.Port != 0 {
		a = append(a, "-p", strconv.Itoa(t.Port))
	}
	return strings.Join(a, " ")
}

func start(c Config, log, level string) []string {
	a := []string{c.Program, "-T", "-E", log}
	if c.ConfigFile != "" {
		a = append(a, "-F", c.ConfigFile)
	}
	a = forced(a)
	return options(a, "PermitLocalCommand=no", "LogLevel="+level)
}

// defaults come last: ssh_config(5) takes the first value it meets.
func defaults(a []string, c Config) []string {
	return options(a,
		"ConnectTimeout="+seconds(c.ConnectTimeout),
		"StrictHostKeyChecking="+c.HostKeys.String(),
		"ServerAliveInterval=5",
		"ServerAliveCountMax=3")
}

func options(a []string, settings ...string) []string {
	for _, s := range settings {
		a = append(a, "-o", s)
	}
	return a
}

func destination(a []string, t Target) []string {
	if t.User != "" {
		a = append(a, "-l", t.User)
	}
	if t.Port != 0 {
		a = append(a, "-p", strconv.Itoa(t.Port))
	}
	return append(a, "--", t.Host)
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
