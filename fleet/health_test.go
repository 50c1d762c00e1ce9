package fleet

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseHealth(t *testing.T) {
	inv, err := parse("/f/fleet.toml", []byte(`
[hosts.a]
tags = ["dns"]
[hosts.b]
[health]
deadline = "90s"
[health.checks.dns]
on = "@dns"
tcp = 53
interval = "2s"
timeout = "3s"
successes = 3
[health.checks]
web = { http = "http://{address}:3001/login", status = 200, body = "Grafana" }
cache.unit = "nix-serve.service"
both.units = ["a.service", "b.timer"]
run.command = ["true", "-x"]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Health{Deadline: 90 * time.Second, Checks: []HealthCheck{
		{Name: "dns", On: "@dns", TCP: 53, Interval: 2 * time.Second, Timeout: 3 * time.Second, Successes: 3,
			at: position{"/f/fleet.toml", 8, "health.checks.dns.on"}},
		{Name: "web", HTTP: "http://{address}:3001/login", Status: 200, Body: "Grafana"},
		{Name: "cache", Units: []string{"nix-serve.service"}},
		{Name: "both", Units: []string{"a.service", "b.timer"}},
		{Name: "run", Command: []string{"true", "-x"}},
	}}
	if !reflect.DeepEqual(inv.Health, want) {
		t.Errorf("got  %+v\nwant %+v", inv.Health, want)
	}
	if got := len(inv.Health.of(inv.Hosts[0])); got != 5 {
		t.Errorf("a has %d checks", got)
	}
	if got := inv.Health.of(inv.Hosts[1]); len(got) != 4 || got[0].Name != "web" {
		t.Errorf("b has %+v", got)
	}
	if err := inv.Health.err(); err != nil {
		t.Error(err)
	}
}

func TestParseHealthSaysWhereAndWhat(t *testing.T) {
	const web = "[hosts.a]\n[health.checks.web]\n"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", web + "tpc = 53\n", []string{":3: ", `unknown key "health.checks.web.tpc"`, "did you mean tcp?"}},
		{"unknown key above", "[health]\ndeadlin = \"2m\"\n", []string{":2: ", "did you mean deadline?"}},
		{"unknown section", "[heath]\n", []string{":1: ", "did you mean health?"}},
		{"nothing", web, []string{":2: ", `health check "web": it says nothing to check`, "exactly one of"}},
		{"two kinds", web + "tcp = 80\nhttp = \"http://{address}/\"\n", []string{":2: ", "it checks several things", "exactly one of"}},
		{"unit and units", web + "unit = \"a.service\"\nunits = [\"b.service\"]\n", []string{":4: ", "unit or units, not both"}},
		{"port", web + "tcp = 65536\n", []string{":3: ", "port 65536 is out of range", "1 to 65535"}},
		{"port 0", web + "tcp = 0\n", []string{":3: ", "tcp is empty"}},
		{"port as text", web + "tcp = \"53\"\n", []string{":3: health.checks.web.tcp must be a whole number"}},
		{"scheme", web + "http = \"ftp://a/\"\n", []string{":3: ", `"ftp://a/" is not a URL`, "http:// or https://"}},
		{"no scheme", web + "http = \"a:80\"\n", []string{":3: ", "is not a URL"}},
		{"one slash", web + "http = \"http:/\"\n", []string{":3: ", "is not a URL"}},
		{"URL's port", web + "http = \"http://a:99999/\"\n", []string{":3: ", "port is out of range"}},
		{"password", web + "http = \"http://u:hunter2@a/\"\n", []string{":3: ", "shown to everybody"}},
		{"password that hides a port", web + "http = \"http://u:hunter2@a:x/\"\n", []string{":3: ", "is not a URL"}},
		{"password in braces", web + "http = \"http://u:hunter2@{hst}/\"\n", []string{":3: ", "{address}"}},
		{"password of another scheme", web + "http = \"ftp://u:hunter2@a/\"\n", []string{":3: ", "http:// or https://"}},
		{"placeholder", web + "http = \"http://{addres}/\"\n", []string{":3: ", "{address}"}},
		{"status", web + "http = \"http://a/\"\nstatus = 99\n", []string{":4: ", "status 99", "100 to 599"}},
		{"status without http", web + "tcp = 1\nstatus = 200\n", []string{":4: ", "status is for http alone"}},
		{"body without http", web + "tcp = 1\nbody = \"x\"\n", []string{":4: ", "body is for http alone"}},
		{"body", web + "http = \"http://a/\"\nbody = \"(\"\n", []string{":4: ", `"(" is not a regular expression`}},
		{"unit", web + "unit = \"nginx\"\n", []string{":3: ", `"nginx" is not a unit's name`, "nginx.service"}},
		{"unit's option", web + "unit = \"--all.service\"\n", []string{":3: ", "is not a unit's name"}},
		{"empty unit", web + "unit = \"\"\n", []string{":3: ", `"" is not a unit's name`}},
		{"no units", web + "units = []\n", []string{":3: ", "units is empty"}},
		{"command as text", web + "command = \"true\"\n", []string{":3: health.checks.web.command must be a list of texts"}},
		{"command's option", web + "command = [\"-x\"]\n", []string{":3: ", `"-x" is not a program's name`}},
		{"duration", web + "tcp = 1\ninterval = \"soon\"\n", []string{":4: health.checks.web.interval: ", "not a duration"}},
		{"number as duration", web + "tcp = 1\ntimeout = 5\n", []string{":4: health.checks.web.timeout must be a duration"}},
		{"no interval", web + "tcp = 1\ninterval = \"0s\"\n", []string{":4: ", "above 0"}},
		{"deadline", "[health]\ndeadline = \"-1s\"\n", []string{":2: health.deadline is -1s", "above 0"}},
		{"successes", web + "tcp = 1\nsuccesses = -1\n", []string{":4: ", "successes is -1"}},
		{"no successes", web + "tcp = 1\nsuccesses = 0\n", []string{":4: ", "successes is empty"}},
		{"timeout and deadline", web + "tcp = 1\ntimeout = \"3m\"\n", []string{":4: ", "longer than the deadline"}},
		{"too many successes", web + "tcp = 1\nsuccesses = 200\n", []string{":4: ", "200 successes 1s apart take longer than the deadline"}},
		{"name", "[health.checks.\"a b\"]\ntcp = 1\n", []string{":1: ", "only letters"}},
		{"selector", web + "tcp = 1\non = \"@web\"\n", []string{":4: health.checks.web.on: ", `no host has the tag "web"`}},
		{"host", web + "tcp = 1\non = \"aa\"\n", []string{":4: ", `there is no host "aa"; did you mean a?`}},
		{"wave", "[hosts.p510]\n[rollout]\nwaves = [\"p510\", \"p51\"]\n", []string{":3: rollout.waves, the 2nd: ", `no host "p51"; did you mean p510?`}},
		{"empty wave", "[hosts.a]\n[rollout]\nwaves = [\"\"]\n", []string{":3: rollout.waves, the 1st: ", "names no host"}},
		{"waves as text", "[rollout]\nwaves = \"a\"\n", []string{":2: rollout.waves must be a list of texts"}},
		{"failures", "[rollout]\nmax-failures = -1\n", []string{":2: rollout.max-failures is -1", "0 or more"}},
		{"failures as text", "[rollout]\nmax-failures = \"1\"\n", []string{":2: rollout.max-failures must be a whole number"}},
		{"pause", "[hosts.a]\n[rollout]\npause = \"30s\"\n", []string{":3: ", "between waves, and there are none"}},
		{"activation too short", "[activation]\nconfirm = \"90ms\"\n", []string{":2: activation.confirm is 90ms", "1s at least"}},
		{"activation too long", "[activation]\ntimeout = \"48h\"\n", []string{":2: activation.timeout is 48h0m0s", "24h at most"}},
		{"activation without a unit", "[activation]\ntimeout = \"90\"\n", []string{":2: activation.timeout: \"90\" is not a duration"}},
		{"on-degraded", "[activation]\non-degraded = \"\"\n", []string{":2: activation.on-degraded is \"\"", "\"rollback\" or \"keep\""}},
		{"unknown activation", "[activation]\nconfirn = \"9s\"\n", []string{":2: ", "did you mean confirm?"}},
		{"unknown rollout", "[rollout]\nmax-failure = 1\n", []string{":2: ", "did you mean max-failures?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv, err := parse("/f/fleet.toml", []byte(c.text))
			if err == nil {
				t.Fatalf("no error, but %+v", inv)
			}
			var ce *ConfigError
			if !errors.As(err, &ce) || ce.File != "/f/fleet.toml" {
				t.Errorf("not a ConfigError of the file: %#v", err)
			}
			rest := err.Error()
			for _, part := range c.want {
				i := strings.Index(rest, part)
				if i < 0 {
					t.Fatalf("%q lacks %q", err, part)
				}
				rest = rest[i+len(part):]
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestCheckURL(t *testing.T) {
	for _, c := range []struct{ text, address, want string }{
		{"http://{address}:3001/x", "192.168.1.222", "http://192.168.1.222:3001/x"},
		{"http://{address}/", "fe80::1%eth0", "http://[fe80::1%25eth0]/"},
		{"http://:9090/-/ready", "dex", "http://dex:9090/-/ready"},
		{"http:///x", "::1", "http://[::1]/x"},
		{"https://{host}.lan/?q=a", "10.0.0.1", "https://name.lan/?q=a"},
		{"HTTP://elsewhere", "10.0.0.1", "http://elsewhere"},
	} {
		u, err := HealthCheck{HTTP: c.text}.url(Host{Name: "name", Address: c.address})
		if err != nil || u.String() != c.want {
			t.Errorf("%s: got %v, %v; want %s", c.text, u, err, c.want)
		}
	}
}

// Checks that a Go program made are held to the same rules.
func TestHealthFromGo(t *testing.T) {
	h := Health{Checks: []HealthCheck{{Name: "x", TCP: 1, HTTP: "http://a"}}}
	if err := h.err(); err == nil || !strings.Contains(err.Error(), `health check "x": it checks several things`) {
		t.Errorf("got %v", err)
	}
}
