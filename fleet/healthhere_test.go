package fleet

import (
	"strings"
	"testing"
	"time"
)

// A command here gets its arguments as they are and the host in its environment, and is
// ended, with all it has started, once it is late.
func TestCommandHere(t *testing.T) {
	dir := t.TempDir()
	j := &job{fleet: &Fleet{Inventory: &Inventory{Dir: dir}, stages: newStages(Limits{})}, host: Host{Name: "p620", Address: "$(touch spliced); x"}}
	p := &prober{job: j}
	for _, c := range []struct {
		argv []string
		ok   bool
		says string
	}{
		{[]string{"sh", "-c", `echo first; echo "$FLOTILLA_HOST $FLOTILLA_ADDRESS $# $1"`, "sh", "$HOME; 'y'", "z"}, true, "exit code 0: p620 $(touch spliced); x 2 $HOME; 'y'"},
		{[]string{"pwd"}, true, "exit code 0: " + dir},
		{[]string{"true"}, true, "exit code 0"},
		{[]string{"cat"}, true, "exit code 0"},
		{[]string{"sh", "-c", "echo oops >&2; exit 3"}, false, "exit code 3: oops"},
		{[]string{"no-such-program"}, false, "executable file not found"},
		{[]string{"sh", "-c", "kill -9 $$"}, false, "ended by signal killed"},
		{[]string{"sh", "-c", "trap '' INT; sleep 60 & wait"}, false, "no answer within 200ms"},
	} {
		began := time.Now()
		v := p.here(t.Context(), HealthCheck{CommandHere: c.argv, Timeout: map[bool]time.Duration{true: 30 * time.Second, false: 200 * time.Millisecond}[c.ok]})
		if v.ok != c.ok || !strings.HasPrefix(v.text, c.says) && !strings.Contains(v.text, c.says) {
			t.Errorf("%q: %+v after %s", c.argv, v, time.Since(began))
		}
	}
	long := p.here(t.Context(), HealthCheck{CommandHere: []string{"sh", "-c", "printf '%01000d' 0"}})
	if !long.ok || len(long.text) > 400 {
		t.Errorf("%d bytes: %+v", len(long.text), long)
	}
}

// It takes one of tcp, http, unit, units, command and command-here.
func TestCommandHereInTheFile(t *testing.T) {
	inv, err := parse("/f/fleet.toml", []byte("[hosts.a]\n[health.checks.x]\ncommand-here = [\"curl\", \"-f\", \"https://a/\"]\ninterval = \"2s\"\ntimeout = \"3s\"\nsuccesses = 4\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c := inv.Health.Checks[0]; len(c.CommandHere) != 3 || c.interval() != 2*time.Second || c.timeout() != 3*time.Second || c.successes() != 4 || c.remote() {
		t.Errorf("%+v", c)
	}
	for text, says := range map[string]string{
		"command-here = []":                      "command-here is empty",
		"command-here = [\"-x\"]":                `"-x" is not a program's name`,
		"command-here = [\"x\"]\ntcp = 1":        "it checks several things",
		"command-here = \"curl -f https://a/\"":  "command-here must be",
		"command-here = [\"x\"]\nbody = \"nix\"": "body is for http alone",
	} {
		_, err := parse("/f/fleet.toml", []byte("[hosts.a]\n[health.checks.x]\n"+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
