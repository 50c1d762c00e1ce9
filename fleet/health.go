package fleet

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Health says how hosts are checked after an activation and by Fleet.Health. The
// zero value checks nothing.
type Health struct {
	// Deadline is how long all checks of one host together may take after an
	// activation; 0 means 2 minutes.
	Deadline time.Duration
	// Checks are the checks, in the order of fleet.toml; nil if there are none.
	Checks []HealthCheck
}

// HealthCheck is one thing that a healthy host does. Exactly one of TCP, HTTP,
// Units, Command and CommandHere says what.
type HealthCheck struct {
	// Name is what people call the check: letters, digits, '-', '_' and '.'.
	Name string
	// On is the selector of the hosts that it is for, as in Inventory.Select;
	// empty means all.
	On string
	// TCP is a port, 1 to 65535, that takes connections from here at the
	// host's address; 0 if that is not what is checked.
	TCP int
	// HTTP is a URL, asked from here with GET: http or https, without a user.
	// "{address}" in it is the host's address and "{host}" its name; a URL
	// without a host ("http://:3001/") asks the host's address. Redirects are not
	// followed, and no proxy is used.
	HTTP string
	// Status is the status code that HTTP must give, 100 to 599; 0 means any
	// from 200 to 399.
	Status int
	// Body is a regular expression (package regexp) that the first MiB of what
	// HTTP gives must match somewhere; empty matches all.
	Body string
	// Units are systemd units of the host, all of which must be active.
	Units []string
	// Command is a program of the host and its arguments, which must exit with
	// 0. It runs as the remote user, without a shell.
	Command []string
	// CommandHere is a program of this machine and its arguments, which must exit with
	// 0. It runs without a shell, in Inventory.Dir, with nothing on standard input, and
	// finds the host's name and address in FLOTILLA_HOST and FLOTILLA_ADDRESS of its
	// environment, which is for the rest this process's. One that is late is
	// interrupted, and killed a second later.
	CommandHere []string
	// Interval is the time from one try to the next, 0 meaning 1 second.
	// Timeout is how long one try may take, 0 meaning 5 seconds.
	Interval, Timeout time.Duration
	// Successes is how many tries in a row must go well after an activation; 0
	// means 2, so that what dies at once is noticed.
	Successes int

	// at is where On stands.
	at position
}

// HealthResult is what came of one check of one host.
type HealthResult struct {
	// Check is the check's name.
	Check string
	// OK reports whether it passed.
	OK bool
	// FailedBefore reports that it had failed before the deployment, on a host
	// that ran the system it boots; it is then not held against the new system.
	FailedBefore bool
	// Answer says on one line what the last try gave; it may hold anything a
	// program printed.
	Answer string
	// Tries is how often it was tried.
	Tries int
	// Duration is wall time from the first try to the last.
	Duration time.Duration

	// counted says that Answer tells of all tries.
	counted bool
}

// remote reports whether a check is made on the host itself.
func (c HealthCheck) remote() bool { return len(c.Units) > 0 || len(c.Command) > 0 }

func (c HealthCheck) interval() time.Duration { return or(c.Interval, time.Second) }
func (c HealthCheck) timeout() time.Duration  { return or(c.Timeout, 5*time.Second) }
func (c HealthCheck) successes() int          { return or(c.Successes, 2) }
func (h Health) deadline() time.Duration      { return or(h.Deadline, 2*time.Minute) }

// of are the checks that are for a host.
func (h Health) of(host Host) []HealthCheck {
	var own []HealthCheck
	for _, c := range h.Checks {
		if names(c.On, host) {
			own = append(own, c)
		}
	}
	return own
}

// err is what is wrong with all of it, nil if nothing is.
func (h Health) err() error {
	for _, c := range h.Checks {
		for _, p := range c.problems(h.deadline()) {
			return fmt.Errorf("health check %q: %s", c.Name, p.text)
		}
	}
	return nil
}

// problems checks everything about one check but its selector.
func (c HealthCheck) problems(deadline time.Duration) []problem {
	var ps []problem
	add := func(key, help, format string, args ...any) {
		ps = append(ps, problem{key, fmt.Sprintf(format, args...), help})
	}

	if !isWord(c.Name, "-_.") {
		add("", "", "the name may hold only letters, digits, '-', '_' and '.', and starts with a letter or digit")
	}
	kinds := 0
	for _, given := range []bool{c.TCP != 0, c.HTTP != "", len(c.Units) > 0, len(c.Command) > 0, len(c.CommandHere) > 0} {
		if given {
			kinds++
		}
	}
	const kindsHelp = "give exactly one of tcp, http, unit, units, command and command-here"
	switch {
	case kinds == 0:
		add("", kindsHelp, "it says nothing to check")
	case kinds > 1:
		add("", kindsHelp, "it checks several things")
	}
	if c.TCP < 0 || c.TCP > 65535 {
		add("tcp", "use 1 to 65535", "port %d is out of range", c.TCP)
	}
	if c.HTTP != "" {
		if _, err := c.url(Host{Name: "host", Address: "host"}); err != nil {
			shown := strconv.Quote(c.HTTP)
			if strings.Contains(c.HTTP, "@") {
				shown = "http" // It may hold a password.
			}
			add("http", `write it as "http://{address}:8080/path"`, "%s is not a URL that can be asked: %v", shown, err)
		}
	} else {
		for key, given := range map[string]bool{"status": c.Status != 0, "body": c.Body != ""} {
			if given {
				add(key, "give it to a check with http", "%s is for http alone", key)
			}
		}
	}
	if c.Status != 0 && (c.Status < 100 || c.Status > 599) {
		add("status", "use 100 to 599, or leave it out for any from 200 to 399", "status %d is no status code", c.Status)
	}
	if _, err := regexp.Compile(c.Body); err != nil {
		add("body", "see https://pkg.go.dev/regexp/syntax", "body %q is not a regular expression", c.Body)
	}
	for _, u := range c.Units {
		if !isUnit(u) {
			add("unit", `name it as systemctl does, as in "nginx.service"`, "%q is not a unit's name", u)
		}
	}
	for key, argv := range map[string][]string{"command": c.Command, "command-here": c.CommandHere} {
		if len(argv) > 0 && (argv[0] == "" || argv[0][0] == '-') {
			add(key, "begin with the program", "%q is not a program's name", argv[0])
		}
		if slices.ContainsFunc(argv, func(a string) bool { return strings.ContainsRune(a, 0) }) {
			add(key, "", "an argument holds a NUL byte")
		}
	}
	if c.Interval < 0 {
		add("interval", "leave it out for 1 second", "interval is negative")
	}
	if c.Timeout < 0 {
		add("timeout", "leave it out for 5 seconds", "timeout is negative")
	}
	if c.Successes < 0 {
		add("successes", "use a whole number above 0", "successes is %d", c.Successes)
	}
	if c.Timeout > deadline {
		add("timeout", "make the one shorter or the other longer", "a timeout of %s is longer than the deadline of all checks, %s", c.Timeout, deadline)
	}
	// As a quotient: the product could overflow.
	if n := time.Duration(c.successes() - 1); n > 0 && c.interval() > deadline/n {
		add("successes", "ask for fewer or make the deadline longer", "%d successes %s apart take longer than the deadline of all checks, %s", c.successes(), c.interval(), deadline)
	}
	return ps
}

// url is the URL of a check with HTTP for one host.
func (c HealthCheck) url(h Host) (*url.URL, error) {
	address := h.Address
	if strings.Contains(address, ":") {
		address = "[" + strings.ReplaceAll(address, "%", "%25") + "]"
	}
	text := strings.NewReplacer("{address}", address, "{host}", h.Name).Replace(c.HTTP)
	if strings.ContainsAny(text, "{} ") || hasControl(text) {
		return nil, errors.New("it holds braces, which only {address} and {host} may, or white space")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it cannot be read")
	case u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(text[len(u.Scheme):], "://"):
		return nil, errors.New("it does not begin with http:// or https://")
	case u.User != nil:
		return nil, errors.New("it holds a user, which would be shown to everybody")
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return nil, errors.New("its port is out of range")
	}
	if u.Hostname() == "" {
		u, err = url.Parse(u.Scheme + "://" + address + text[len(u.Scheme)+len("://"):])
	}
	return u, err
}

// isPort reports whether digits are 1 to 65535.
func isPort(digits string) bool {
	var n int
	_, err := fmt.Sscanf(digits, "%d", &n)
	return err == nil && len(digits) <= 5 && n >= 1 && n <= 65535
}

// isUnit reports whether a name is one of systemd.unit(5), with its type.
func isUnit(name string) bool {
	stem, kind, _ := cutLast(name, ".")
	return isWord(stem, `:-_.\@`) && len(name) < 256 && slices.Contains([]string{"service", "socket", "target", "timer", "mount", "automount",
		"path", "device", "scope", "slice", "swap"}, kind)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
