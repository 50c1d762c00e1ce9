package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// yard is a world with builders: what they say of themselves, and what becomes of builds.
type yard struct {
	*world
	store   nixcmd.StoreInfo
	answers map[string]string // by host; one without is down
	lost    map[string]bool   // hosts whose connection is gone
	build   func(nixcmd.BuildOptions) error

	mu     sync.Mutex
	builds []nixcmd.BuildOptions
}

const goodBuilder = "flotilla-builder 1\nnix-daemon /bin/nix-daemon\nuser root\nsystem x86_64-linux\nextra-platforms i686-linux\nsystem-features kvm benchmark\nmax-jobs 20\nstore {\"trusted\":1}\nend ok\n"

func (y *yard) StoreInfo(context.Context) (nixcmd.StoreInfo, error) { return y.store, nil }
func (y *yard) Settings(context.Context) (nixcmd.Settings, error)   { return nixcmd.Settings{}, nil }

func (y *yard) Build(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.BuildOptions) ([]nixcmd.StorePath, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.builds = append(y.builds, opt)
	if err := y.build(opt); err != nil {
		return nil, err
	}
	return []nixcmd.StorePath{newSystem}, nil
}

func (y *yard) Connect(_ context.Context, h Host) (Remote, error) {
	if _, up := y.answers[h.Name]; !up {
		return nil, &sshpool.Error{Kind: sshpool.KindUnreachable, Err: errors.New("no route")}
	}
	return yardConn{session{y.world, h}, y}, nil
}

func (y *yard) NixSSHOptsFor(named map[string]Remote) (string, error) {
	var names []string
	for n := range named {
		names = append(names, n)
	}
	slices.Sort(names)
	return "to " + strings.Join(names, " and "), nil
}

type yardConn struct {
	session
	yard *yard
}

func (c yardConn) Gone(context.Context) bool { return c.yard.lost[c.host.Name] }
func (c yardConn) Run(_ context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if cmd.Script == builderScript {
		c.note("ask %s", c.host.Name)
		return sshpool.Result{Stdout: []byte(c.yard.answers[c.host.Name])}, nil
	}
	return sshpool.Result{}, nil
}

const fourBuilders = "[defaults]\nbuild-host = \"builders\"\n[hosts.a]\n[hosts.c]\n[builders.b1]\nspeed-factor = 2\n[builders.b2]\nmax-jobs = 3\nsystems = [\"x86_64-linux\"]\nsupported-features = [\"kvm\"]\n"

func (y *yard) fleet(t *testing.T, toml string, said *strings.Builder) (*Fleet, []Host) {
	t.Helper()
	if y.world == nil {
		y.world = &world{}
	}
	f, hosts := fleetOf(t, y.world, toml)
	f.nix, f.dialer = y, y
	var mu sync.Mutex
	f.sink = SinkFunc(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(said, "%s %s %s\n", e.Kind, e.Host, e.Text)
	})
	return f, hosts
}

// starts tells of derivations that machines begin to build.
func starts(opt nixcmd.BuildOptions, machines ...string) {
	for i, m := range machines {
		opt.Progress(nixcmd.BuildEvent{Kind: nixcmd.BuildStarted, Machine: m,
			Derivation: nixcmd.StorePath(fmt.Sprintf("/nix/store/%032d-d.drv", i))})
	}
}

// Builders are asked once in a run, whatever the number of hosts; what fleet.toml does not say
// of them, they say themselves; and the report says who built how many.
func TestBuildersAreAskedOnce(t *testing.T) {
	y := &yard{store: nixcmd.StoreInfo{URL: "local"}, answers: map[string]string{"b1": goodBuilder, "b2": goodBuilder}}
	y.build = func(opt nixcmd.BuildOptions) error {
		starts(opt, "ssh-ng://b1?max-connections=1", "ssh-ng://b1", "", "ssh-ng://b2?max-connections=1&x=y")
		return nil
	}
	var said strings.Builder
	f, hosts := y.fleet(t, fourBuilders, &said)
	r := f.Test(t.Context(), hosts, TestOptions{})
	if !slices.Equal(sorted(y.did), []string{"ask b1", "ask b2"}) || len(y.builds) != 2 {
		t.Errorf("did %q, built %d", y.did, len(y.builds))
	}
	want := []nixcmd.Builder{
		{URL: "ssh-ng://b1?max-connections=1", Systems: []string{"x86_64-linux", "i686-linux"}, MaxJobs: mostJobs, SpeedFactor: 2, SupportedFeatures: []string{"kvm", "benchmark"}},
		{URL: "ssh-ng://b2?max-connections=1", Systems: []string{"x86_64-linux"}, MaxJobs: 3, SupportedFeatures: []string{"kvm"}},
	}
	for _, b := range y.builds {
		if got := fmt.Sprintf("%+v", b.Builders); got != fmt.Sprintf("%+v", want) || b.SSHOpts != "to b1 and b2" || !b.KeepGoing || b.OutLink == "" {
			t.Errorf("%s, ssh %q", got, b.SSHOpts)
		}
	}
	if got, want := fmt.Sprint(r.Results[0].Builders), "[{b1 2} { 1} {b2 1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := fmt.Sprint(r.Builders()), "[{b1 4} { 2} {b2 2}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !strings.Contains(said.String(), "4 derivations: 2 on b1, 1 here, 1 on b2") || !strings.Contains(said.String(), "building d.drv on b1\n") {
		t.Error(said.String())
	}
}

// One that is lost while it builds costs another try without it, for every host, and once; a
// build that fails with all of them there has failed.
func TestLostBuilders(t *testing.T) {
	failed := &nixcmd.BuildError{Failed: []nixcmd.FailedBuild{{Derivation: newSystem + ".drv"}}}
	y := &yard{store: nixcmd.StoreInfo{URL: "local"}, answers: map[string]string{"b1": goodBuilder, "b2": goodBuilder}, lost: map[string]bool{}}
	y.build = func(opt nixcmd.BuildOptions) error {
		starts(opt, opt.Builders[0].URL)
		if len(opt.Builders) > 1 {
			y.lost["b1"] = true
			return failed
		}
		return nil
	}
	var said strings.Builder
	f, hosts := y.fleet(t, fourBuilders, &said)
	r := f.Test(t.Context(), hosts[:1], TestOptions{})
	if r.ExitCode() != 0 || len(y.builds) != 2 || y.builds[1].SSHOpts != "to b2" || fmt.Sprint(r.Builders()) != "[{b2 1}]" {
		t.Errorf("%v, %d builds, %v", r.Err(), len(y.builds), r.Builders())
	}
	if n := strings.Count(said.String(), "warning a builder b1 was lost while it built; building on without it"); n != 1 {
		t.Error(said.String())
	}
	if r := f.Test(t.Context(), hosts[1:], TestOptions{}); r.ExitCode() != 0 || len(y.builds) != 3 {
		t.Errorf("%v, %d builds", r.Err(), len(y.builds))
	}

	y.lost, y.builds, y.build = nil, nil, func(nixcmd.BuildOptions) error { return failed }
	f, hosts = y.fleet(t, fourBuilders, &said)
	if r := f.Test(t.Context(), hosts[:1], TestOptions{}); r.ExitCode() != ExitFailed || len(y.builds) != 1 {
		t.Errorf("%v, %d builds", r.Err(), len(y.builds))
	}
}

// One whose Nix ends in the middle of a build, with its connection alive, is tried once more
// for that system, and then left out; where another build has failed of its own nothing is
// tried again.
func TestBuildersThatBreakOff(t *testing.T) {
	brokenOff := nixcmd.FailedBuild{Derivation: newSystem + ".drv", Machine: nixcmd.CopyURL("", "b1"), BrokenOff: true}
	failed := nixcmd.FailedBuild{Derivation: oldSystem + ".drv", Machine: nixcmd.CopyURL("", "b2")}
	elsewhere := brokenOff
	elsewhere.Machine = "ssh-ng://nobody-knows"
	const once = "warning a builder b1 broke off in the middle, as if its Nix had been ended; building on with it once more\n"
	const twice = once + "warning a builder b1 broke off in the middle once more; building on without it\n"
	for name, c := range map[string]struct {
		fails    [][]nixcmd.FailedBuild // of the first builds
		builders []int                  // of each build
		exit     int
		says     string
	}{
		"once":                  {[][]nixcmd.FailedBuild{{brokenOff}}, []int{2, 2}, 0, once},
		"again":                 {[][]nixcmd.FailedBuild{{brokenOff, brokenOff}, {brokenOff}}, []int{2, 2, 1}, 0, twice},
		"another fails":         {[][]nixcmd.FailedBuild{{brokenOff, failed}}, []int{2}, ExitFailed, ""},
		"another fails then":    {[][]nixcmd.FailedBuild{{brokenOff}, {failed}}, []int{2, 2}, ExitFailed, once},
		"one of nobody's":       {[][]nixcmd.FailedBuild{{elsewhere}}, []int{2}, ExitFailed, ""},
		"it never came to that": {[][]nixcmd.FailedBuild{{}}, []int{2}, ExitFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			y := &yard{store: nixcmd.StoreInfo{URL: "local"}, answers: map[string]string{"b1": goodBuilder, "b2": goodBuilder}}
			var builders []int
			y.build = func(opt nixcmd.BuildOptions) error {
				if builders = append(builders, len(opt.Builders)); len(builders) > len(c.fails) {
					return nil
				}
				return &nixcmd.BuildError{Failed: c.fails[len(builders)-1]}
			}
			var said strings.Builder
			f, hosts := y.fleet(t, fourBuilders, &said)
			r := f.Test(t.Context(), hosts[:1], TestOptions{})
			warnings := ""
			for line := range strings.Lines(said.String()) {
				if strings.HasPrefix(line, "warning ") {
					warnings += line
				}
			}
			if r.ExitCode() != c.exit || !slices.Equal(builders, c.builders) || warnings != c.says {
				t.Errorf("%v after %v, said %q", r.Err(), builders, warnings)
			}
		})
	}
}

// What cannot be used is left out and said, once, and why; without any it is built here.
func TestBuildersThatAreLeftOut(t *testing.T) {
	for name, c := range map[string]struct{ answer, says string }{
		"down":      {"", "builder b2 is left out: "},
		"no Nix":    {"flotilla-builder 1\nnix-daemon \nend ok\n", "there is no nix-daemon in the PATH"},
		"a banner":  {"welcome\nend ok\n", "its answer is none"},
		"untrusted": {strings.Replace(goodBuilder, `"trusted":1`, `"trusted":0`, 1), `its Nix does not trust root, and takes nothing to build from: add "root" to nix.settings.trusted-users there`},
		"no jobs":   {strings.Replace(goodBuilder, "max-jobs 20", "max-jobs 0", 1), "its Nix builds nothing (max-jobs = 0)"},
		"system":    {strings.Replace(goodBuilder, "system x86_64-linux", "system aarch64-linux", 1), "fleet.toml says that it builds for x86_64-linux, and its Nix says for aarch64-linux, i686-linux"},
		"feature":   {strings.Replace(goodBuilder, "kvm ", "", 1), "fleet.toml says that it has the feature kvm, and its Nix has benchmark"},
		"cut short": {"flotilla-builder 1\n", "cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			y := &yard{store: nixcmd.StoreInfo{URL: "local"}, answers: map[string]string{"b2": c.answer}, build: func(nixcmd.BuildOptions) error { return nil }}
			if c.answer == "" {
				delete(y.answers, "b2")
			}
			var said strings.Builder
			f, hosts := y.fleet(t, fourBuilders, &said)
			r := f.Test(t.Context(), hosts, TestOptions{})
			if n := strings.Count(said.String(), "builder b2 is left out"); r.ExitCode() != 0 || !strings.Contains(said.String(), c.says) || n != 1 {
				t.Errorf("%v: %s", r.Err(), said.String())
			}
			if b := y.builds[0].Builders; b == nil || len(b) > 0 {
				t.Errorf("built with %+v", b)
			}
		})
	}
}

// Where a Nix daemon builds it is the daemon that logs in to builders, and only for those whom
// it trusts.
func TestBuildersOfADaemon(t *testing.T) {
	const keyed = "[defaults]\nbuild-host = \"builders\"\n[hosts.a]\n[builders.b1]\nuser = \"u\"\naddress = \"10.0.0.1\"\nssh-key = \"/root/key\"\npublic-host-key = \"c3No\"\n"
	y := &yard{store: nixcmd.StoreInfo{URL: "daemon"}, answers: map[string]string{"b1": goodBuilder}, build: func(nixcmd.BuildOptions) error { return nil }}
	var said strings.Builder
	f, hosts := y.fleet(t, keyed, &said)
	f.Test(t.Context(), hosts, TestOptions{})
	if b := y.builds[0]; b.SSHOpts != "" || b.Builders[0].URL != "ssh-ng://u@10.0.0.1?max-connections=1" || b.Builders[0].SSHKey != "/root/key" || b.Builders[0].PublicHostKey != "c3No" {
		t.Errorf("%+v", b)
	}
	y = &yard{store: nixcmd.StoreInfo{URL: "daemon", Untrusted: true}, answers: y.answers}
	f, hosts = y.fleet(t, keyed, &said)
	r := f.Test(t.Context(), hosts, TestOptions{})
	var e *StepError
	if !errors.As(r.Err(), &e) || !strings.Contains(e.Brief, "does not trust this user") || !strings.Contains(e.Hint, "trusted-users") || len(y.builds) > 0 {
		t.Errorf("%v", r.Err())
	}
}

// Without [builders] those of nix.conf are left as they are, as with "here".
func TestBuildersOfNixConf(t *testing.T) {
	y := &yard{build: func(nixcmd.BuildOptions) error { return nil }}
	var said strings.Builder
	f, hosts := y.fleet(t, "[hosts.a]\nbuild-host = \"builders\"\n", &said)
	if f.Test(t.Context(), hosts, TestOptions{}); len(y.builds) != 1 || y.builds[0].Builders != nil || y.builds[0].KeepGoing {
		t.Errorf("%+v", y.builds)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// What a builder can do, as Nix decides it.
func TestWhoBuilds(t *testing.T) {
	s := shift{builders: []*builder{
		{Builder: Builder{Systems: []string{"x86_64-linux"}, SupportedFeatures: []string{"kvm"}}},
		{Builder: Builder{Systems: []string{"aarch64-linux"}, MandatoryFeatures: []string{"big"}}},
	}}
	for _, c := range []struct {
		system, features string
		want             bool
	}{
		{"x86_64-linux", "", true}, {"x86_64-linux", "kvm", true}, {"x86_64-linux", "kvm big", false},
		{"aarch64-linux", "", false}, {"aarch64-linux", "big", true}, {"riscv64-linux", "", false},
	} {
		if got := s.builds(nixcmd.Derivation{System: c.system, RequiredFeatures: strings.Fields(c.features)}); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// Every mistake in [builders] is told with its line.
func TestBuilderMistakes(t *testing.T) {
	_, err := parse("/f/fleet.toml", []byte(`[hosts.a]
[builders.a]
systems = ["linux"]
supported-features = ["kvm", "a b"]
max-jobs = 0
speed-factor = -1
ssh-key = "key"
public-host-key = "ssh-ed25519 AAAA"
port = 70000
[builders.b]
jobs = 3
[builders."c d"]
address = "-oProxyCommand=id"
`))
	text := fmt.Sprint(err)
	for _, want := range []string{
		`fleet.toml:3: builder "a": "linux" is not a system; write it as "x86_64-linux"`, `fleet.toml:4: builder "a": "a b" is not a feature`,
		`fleet.toml:5: builder "a": max-jobs is 0`, `fleet.toml:6: builder "a": speed-factor is -1`, `fleet.toml:7: builder "a": ssh-key "key" is not an absolute path`,
		`fleet.toml:8: builder "a": public-host-key is not base64`, `fleet.toml:9: builder "a": port 70000 is out of range`,
		`fleet.toml:11: unknown key "builders.b.jobs"`, `fleet.toml:12: builder "c d": the name may hold only`, `fleet.toml:13: builder "c d": address "-oProxyCommand=id"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s:\n%s", want, text)
		}
	}
	inv, err := parse("/f/fleet.toml", []byte("[defaults]\nuser = \"u\"\n[hosts.a]\naddress = \"10.0.0.1\"\nport = 23\n[builders.z]\n[builders.a]\nuser = \"nix\"\n[builders.c]\naddress = \"[fe80::1]\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range inv.Builders {
		got = append(got, fmt.Sprintf("%s %s@%s:%d", b.Host.Name, b.Host.User, b.Host.Address, b.Host.Port))
	}
	if want := []string{"z u@z:0", "a nix@10.0.0.1:23", "c u@fe80::1:0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A run's own build host takes the place of every host's, and has to be one.
func TestBuildHostOfARun(t *testing.T) {
	const toml = "[defaults]\nbuild-host = \"target\"\n[hosts.a]\nbuild-host = \"b\"\n[hosts.b]\n"
	inv, err := parse("/f/fleet.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"bb", "--help", "a b"} {
		if err := inv.buildOn(bad); err == nil || inv.Hosts[0].BuildHost != "b" {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := inv.buildOn(""); err != nil || inv.Hosts[0].BuildHost != "b" {
		t.Error(err)
	}
	for _, good := range []string{BuildHere, BuildOnTarget, BuildOnBuilders, "b"} {
		if err := inv.buildOn(good); err != nil || inv.Hosts[0].BuildHost != good || inv.Hosts[1].BuildHost != good || inv.defaults.BuildHost != good {
			t.Errorf("%s: %v", good, err)
		}
	}
}
