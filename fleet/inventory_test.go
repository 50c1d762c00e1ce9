package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseFillsDefaults(t *testing.T) {
	inv, err := parse("/f/fleet.toml", []byte(`
[fleet]
name = "homelab"
[defaults]
user = "root"
tags = ["home"]
ssh-options = ["Compression=yes"]
become = "doas"
build-host = "target"
substitute-on-target = true
[hosts.zeta]
[hosts.alpha]
address = "192.168.1.7"
user = "deploy"
port = 2222
attr = "alpha.lan"
tags = ["server"]
become = "auto"
build-host = "zeta"
substitute-on-target = false
[hosts.beta]
address = "[fe80::1%eth0]"
build-host = "here"
[limits]
copies = 2
memory = "1.5GiB"
[ssh]
connect-timeout = "3s"
persist = "0s"
host-keys = "accept-new"
config = "ssh_config"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Inventory{Name: "homelab", Dir: "/f",
		defaults: fileDefaults{User: "root", Tags: []string{"home"}, SSHOptions: []string{"Compression=yes"},
			Become: BecomeDoas, BuildHost: BuildOnTarget, Substitute: new(true)}, Limits: Limits{Copies: 2, Memory: 3 << 29},
		SSH: SSH{ConnectTimeout: 3 * time.Second, Persist: -1, AcceptNewHostKeys: true, ConfigFile: "/f/ssh_config"},
		Hosts: []Host{
			{Name: "zeta", Attr: "zeta", Address: "zeta", User: "root", SSHOptions: []string{"Compression=yes"}, Tags: []string{"home"},
				Become: BecomeDoas, BuildHost: BuildOnTarget, SubstituteOnTarget: true},
			{Name: "alpha", Attr: "alpha.lan", Address: "192.168.1.7", User: "deploy", Port: 2222,
				SSHOptions: []string{"Compression=yes"}, Tags: []string{"home", "server"},
				Become: BecomeAuto, BuildHost: "zeta"},
			{Name: "beta", Attr: "beta", Address: "fe80::1%eth0", User: "root", SSHOptions: []string{"Compression=yes"}, Tags: []string{"home"},
				Become: BecomeDoas, BuildHost: BuildHere, SubstituteOnTarget: true},
		}}
	if !reflect.DeepEqual(inv, want) {
		t.Errorf("got  %+v\nwant %+v", inv, want)
	}
}

func TestParseSaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // the parts of the message, in order
	}{
		{"syntax", "[hosts.a]\naddress = \n", []string{":2: "}},
		{"unknown key", "[hosts.a]\nadress = \"x\"\n", []string{":2: ", `unknown key "hosts.a.adress"`, "did you mean address?"}},
		{"unknown section", "[host.a]\n", []string{":1: ", `"host`, "did you mean hosts?"}},
		{"wrong type", "[hosts.a]\nport = \"x\"\n", []string{":2: hosts.a.port must be a whole number"}},
		{"no text", "[hosts.a]\nuser = 1\n", []string{":2: hosts.a.user must be text in quotes"}},
		{"no list", "[hosts.a]\ntags = \"x\"\n", []string{":2: hosts.a.tags must be a list of texts"}},
		{"no texts", "[hosts.a]\ntags = [1]\n", []string{":2: hosts.a.tags must be a list of texts"}},
		{"no section", "[hosts]\na = 1\n", []string{":2: hosts.a must be a section"}},
		{"list of sections", "[[hosts]]\n", []string{":1: hosts must be a section"}},
		{"no unit", "[ssh]\npersist = 3\n", []string{":2: ssh.persist must be a duration such as"}},
		{"too large", "[limits]\ncopies = 99999999999999999999\n", []string{":2: limits.copies: ", "too large"}},
		{"not UTF-8", "\xff", []string{":1: "}},
		{"twice", "[hosts.a]\n[hosts.a]\n", []string{":2: "}},
		{"port", "[hosts.a]\n\nport = 70000\n", []string{":3: ", `host "a"`, "port 70000 is out of range", "1 to 65535"}},
		{"port inherited", "[defaults]\nport = -1\n[hosts.a]\n", []string{":2: ", "defaults: port -1"}},
		{"inherited by many", "[defaults]\ntags = [\"!\"]\n[hosts.a]\n[hosts.b]\nport = -2\n", []string{":2: defaults: tag \"!\"", "\n", ":5: host \"b\": port -2"}},
		{"defaults alone", "[defaults]\nuser = \"a b\"\n", []string{":2: ", "defaults: user"}},
		{"address", "[hosts.a]\naddress = \"-oProxyCommand=x\"\n", []string{":2: ", "is not a host name"}},
		{"address with user", "[hosts.a]\naddress = \"root@a\"\n", []string{":2: ", "keys of their own"}},
		{"address with port", "[hosts.a]\naddress = \"web:2222\"\n", []string{":2: ", "is not a host name", "keys of their own"}},
		{"same machine", "[hosts.a]\n[hosts.b]\naddress = \"a\"\n", []string{":3: ", `host "b" is the same machine as "a"`}},
		{"inline", "[hosts]\nb = { address = \"b\" }\na = { port = 99999 }\n", []string{":3: ", `host "a"`}},
		{"user", "[hosts.a]\nuser = \"a b\"\n", []string{":2: ", "is not a user name"}},
		{"name", "[hosts.\"a b\"]\n", []string{":1: ", "only letters"}},
		{"attr", "[hosts.a]\nattr = 'a\"b'\n", []string{":2: ", "flake reference"}},
		{"option", "[hosts.a]\nssh-options = [\"x\"]\n", []string{":2: ", "KEY=VALUE"}},
		{"tag", "[hosts.a]\ntags = [\"!x\"]\n", []string{":2: ", "tag"}},
		{"become", "[hosts.a]\nbecome = \"sudoo\"\n", []string{":2: ", `host "a": become "sudoo"`, "did you mean sudo"}},
		{"become by default", "[defaults]\nbecome = \"x; id\"\n[hosts.a]\n", []string{":2: defaults: become", "known are: auto, none, sudo, doas, run0"}},
		{"no word", "[hosts.a]\nbecome = true\n", []string{":2: hosts.a.become must be text in quotes"}},
		{"build host", "[hosts.a]\n[hosts.razer]\nbuild-host = \"rzaer\"\n", []string{":3: ", `host "razer": there is no host "rzaer" to build on`, "did you mean razer?"}},
		{"build hosts", "[hosts.a]\nbuild-host = \"tagret\"\n[hosts.b]\nbuild-host = \"c\"\n", []string{":2: ", "did you mean target?", ":4: "}},
		{"build host by default", "[defaults]\nbuild-host = \"nosuch\"\n[hosts.a]\n[hosts.b]\n", []string{":2: defaults: there is no host \"nosuch\""}},
		{"build host as option", "[defaults]\nbuild-host = \"-oProxyCommand=x\"\n", []string{":2: defaults: build-host", "is not a host's name"}},
		{"no switch", "[hosts.a]\nsubstitute-on-target = \"yes\"\n", []string{":2: hosts.a.substitute-on-target must be true or false"}},
		{"nearest switch", "[hosts.a]\nsubstitute-on-traget = true\n", []string{":2: ", "did you mean substitute-on-target?"}},
		{"duration", "[ssh]\nconnect-timeout = \"soon\"\n", []string{":2: ", "not a duration"}},
		{"negative timeout", "[ssh]\nconnect-timeout = \"-1s\"\n[hosts.a]\n", []string{":2: ", "negative"}},
		{"policy", "[ssh]\nhost-keys = \"no\"\n[hosts.a]\n", []string{":2: ", `"no"`, "accept-new"}},
		{"limit", "[limits]\nbuilds = 0\n[hosts.a]\n", []string{":2: ", "limits.builds is 0"}},
		{"memory", "[limits]\n\nmemory = \"lots\"\n[hosts.a]\nport = -1\n", []string{":3: ", `limits.memory: "lots" is not a size above 0`, `"4GiB"`, ":5: "}},
		{"memory without unit", "[limits]\nmemory = 4\n[hosts.a]\n", []string{":2: ", `limits.memory must be a size such as "512MiB"`}},
		{"memory of nothing", "[limits]\nmemory = \"\"\n[hosts.a]\n", []string{":2: ", `limits.memory: "" is not a size`}},
		{"unknown and wrong", "[hosts.a]\nadress = \"x\"\nport = -1\n[limit]\n", []string{":2: ", "adress", ":3: ", "port -1", ":4: ", "did you mean limits?"}},
		{"two problems", "[hosts.a]\nport = -1\n[hosts.b]\nport = -2\n", []string{":2: ", "port -1", ":4: ", "port -2"}},
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
		})
	}
}

func TestLoadLooksUpwards(t *testing.T) {
	root := t.TempDir()
	sub := filepath.Join(root, "hosts", "a")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(sub); err == nil || !strings.Contains(err.Error(), "not found here or in any directory above, nor a flake.nix") {
		t.Errorf("without a file: %v", err)
	}
	if _, err := Load(filepath.Join(root, "nosuch")); err == nil || !strings.Contains(err.Error(), "nosuch: cannot be read") {
		t.Errorf("without a directory: %v", err)
	}
	write(t, filepath.Join(root, FileName), "[hosts.a]\n")
	if _, err := Load(sub); err == nil || !strings.Contains(err.Error(), "there is no flake beside fleet.toml") {
		t.Errorf("without a flake: %v", err)
	}
	write(t, filepath.Join(root, "flake.nix"), "{}")
	inv, err := Load(sub)
	if err != nil || inv.Dir != root || len(inv.Hosts) != 1 {
		t.Errorf("got %+v, %v", inv, err)
	}
	// A flake below is not the fleet's as long as there is a fleet.toml.
	write(t, filepath.Join(sub, "flake.nix"), "{}")
	if inv, err := Load(sub); err != nil || inv.Dir != root {
		t.Errorf("got %+v, %v", inv, err)
	}
	if err := os.Remove(filepath.Join(root, FileName)); err != nil {
		t.Fatal(err)
	}
	if inv, err := Load(sub); err != nil || inv.Dir != sub || len(inv.Hosts) != 0 {
		t.Errorf("a flake alone: %+v, %v", inv, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever the file holds, the answer is an inventory without a dangerous word
// or a ConfigError, never a panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte("[hosts.a]\naddress=\"a\"\n"))
	f.Add([]byte("hosts.a.b = 1\n[[hosts]]\n"))
	f.Add([]byte("[hosts]\na = {port = 3, tags = [\"x\"]}\n"))
	f.Add([]byte("[defaults]\nbecome=\"sudo\"\nbuild-host=\"-x\"\n[hosts]\na = {build-host = \"b\", substitute-on-target = true}\n"))
	f.Add([]byte("[hosts.a]\n[health.checks.w]\non = \"a\"\nhttp = \"http://{address}:1/\"\nbody = \"(\"\n[rollout]\nwaves = [\"a\"]\n"))
	f.Add([]byte("[health]\ndeadline = \"2m\"\n[health.checks]\nu.unit = \"a.service\"\nc = {command = [\"x\"], successes = 9}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := parse("fleet.toml", data)
		if err != nil {
			var ce *ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		// Every check can be made, and every host is in one wave.
		for _, c := range inv.Health.Checks {
			u, err := c.url(Host{Name: "host", Address: "::1"})
			if c.HTTP != "" && (err != nil || u.Hostname() == "" || u.User != nil) {
				t.Fatalf("%q: %v, %v", c.HTTP, u, err)
			}
			for _, unit := range c.Units {
				if strings.HasPrefix(unit, "-") || strings.ContainsAny(unit, " *?[") {
					t.Fatalf("dangerous unit %q", unit)
				}
			}
		}
		inWaves := 0
		for _, w := range inv.Rollout.Plan(inv.Hosts) {
			inWaves += len(w)
		}
		if inWaves != len(inv.Hosts) {
			t.Fatalf("%d of %d hosts in waves", inWaves, len(inv.Hosts))
		}
		// Hosts that the flake names get the defaults alone.
		for _, h := range append(inv.Hosts, inv.defaults.host("host", fileHost{})) {
			if !h.Become.known() || len(inv.Hosts) > 0 && !inv.buildsOn(h.BuildHost) {
				t.Fatalf("become %q, build-host %q", h.Become, h.BuildHost)
			}
			for _, word := range []string{h.Name, h.Address, h.User, h.BuildHost} {
				if strings.HasPrefix(word, "-") || strings.ContainsAny(word, " \n'\"$;&|<>`\\") {
					t.Fatalf("dangerous word %q", word)
				}
			}
		}
	})
}

func homelab() *Inventory {
	return &Inventory{Hosts: []Host{
		{Name: "p620", Tags: []string{"workstation", "amd"}},
		{Name: "razer", Tags: []string{"laptop", "nvidia"}},
		{Name: "p510", Tags: []string{"server", "nvidia"}},
		{Name: "dex5550", Tags: []string{"server"}},
	}}
}

// Whatever the selector, the answer is some hosts, in order and each once, or a
// SelectError.
func FuzzSelect(f *testing.F) {
	for _, seed := range []string{"", "p*,!@nvidia", "@server,razer", "[a-", "!", "@", ",,", "\\", "p620\n"} {
		f.Add(seed)
	}
	inv := homelab()
	f.Fuzz(func(t *testing.T, selector string) {
		hosts, err := inv.Select(selector)
		var se *SelectError
		if err != nil {
			if !errors.As(err, &se) || se.Selector != selector || se.Problem == "" || hosts != nil {
				t.Fatalf("%q: %v, %#v", selector, hosts, err)
			}
			return
		}
		rest := inv.names()
		for _, h := range hosts {
			i := slices.Index(rest, h.Name)
			if i < 0 {
				t.Fatalf("%q: %v out of order", selector, hosts)
			}
			rest = rest[i+1:]
		}
		if len(hosts) == 0 {
			t.Fatalf("%q: no hosts and no error", selector)
		}
	})
}

func TestSelect(t *testing.T) {
	for _, c := range []struct{ selector, want string }{
		{"", "p620 razer p510 dex5550"},
		{"razer", "razer"},
		{"dex5550,p620", "p620 dex5550"},
		{"p*", "p620 p510"},
		{"@server", "p510 dex5550"},
		{"@nvidia,p620", "p620 razer p510"},
		{"@nvidia,!razer", "p510"},
		{"!@server", "p620 razer"},
		{"*,!p*", "razer dex5550"},
		{" razer , p620 ", "p620 razer"},
		{"razer,razer", "razer"},
	} {
		hosts, err := homelab().Select(c.selector)
		var got []string
		for _, h := range hosts {
			got = append(got, h.Name)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: got %v, %v; want %s", c.selector, got, err, c.want)
		}
	}
}

func TestSelectRefuses(t *testing.T) {
	for _, c := range []struct{ selector, want string }{
		{"rzaer", `there is no host "rzaer"; did you mean razer?`},
		{"p6", `there is no host "p6"; did you mean p620`},
		{"@servers", `no host has the tag "servers"; did you mean server?`},
		{"@zzzzzz", `known are: amd, laptop, nvidia, server, workstation`},
		{"x*", `there is no host "x*"`},
		{"[", "not a valid pattern"},
		{"razer,!razer", "leaves no host"},
		{"!nosuch", "there is no host"},
		{",", `"," names no host`},
		{" ", `" " names no host`},
	} {
		hosts, err := homelab().Select(c.selector)
		var se *SelectError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, %v; want %q", c.selector, hosts, err, c.want)
		}
	}
}

// For any selector the hosts come in inventory order, each once, and what "!"
// names is not among them.
func TestSelectProperties(t *testing.T) {
	inv := homelab()
	rapid.Check(t, func(t *rapid.T) {
		term := rapid.SampledFrom([]string{"p620", "razer", "p510", "dex5550", "p*", "*", "@server", "@nvidia", "@amd"})
		terms := rapid.SliceOfN(term, 0, 4).Draw(t, "terms")
		without := term.Draw(t, "without")
		hosts, err := inv.Select(strings.Join(append(terms, "!"+without), ","))
		removed, _ := inv.Select(without)
		if err != nil {
			return
		}
		last := -1
		for _, h := range hosts {
			at := -1
			for i, known := range inv.Hosts {
				if known.Name == h.Name {
					at = i
				}
			}
			if at <= last {
				t.Fatalf("%v out of order", hosts)
			}
			last = at
			for _, r := range removed {
				if r.Name == h.Name {
					t.Fatalf("%s was excluded", h.Name)
				}
			}
		}
	})
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{0,6}`)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if (distance(a, b) == 0) != (a == b) || distance(a, b) != distance(b, a) || distance(a, c) > distance(a, b)+distance(b, c) {
			t.Fatalf("%q %q %q", a, b, c)
		}
	})
}
