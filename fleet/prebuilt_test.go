package fleet

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// depot is a world with binary caches.
type depot struct {
	*world
	// here is what comes of fetching a system to this machine, there what the host says
	// of it.
	here  error
	there string
	// lists is what a host's `nix path-info` prints, signed how many paths get a signature
	// in a store that is not this machine's.
	lists  string
	signed int
	// untrusted is whether the Nix of hosts does not trust the remote user.
	untrusted bool
}

func (d *depot) Realise(_ context.Context, paths []nixcmd.StorePath, opt nixcmd.BuildOptions) error {
	d.note("realise %s link=%t cache=%q", paths[0].Name(), opt.OutLink != "", opt.Cache.URL)
	return d.here
}

func (d *depot) Missing(_ context.Context, paths []nixcmd.StorePath) ([]nixcmd.StorePath, error) {
	if d.here != nil {
		return paths, nil
	}
	return nil, nil
}

func (d *depot) Sign(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.SignOptions) (int, error) {
	d.note("sign with %s store=%q ssh=%q", filepath.Base(opt.KeyFile), opt.Store, opt.SSHOpts)
	if opt.Store == "" {
		return 7, nil
	}
	if d.signed < 0 {
		return 0, errors.New("no trust")
	}
	return d.signed, nil
}

func (d *depot) Connect(_ context.Context, h Host) (Remote, error) {
	return depotSession{session{d.world, h}, d}, nil
}

type depotSession struct {
	session
	depot *depot
}

func (s depotSession) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if cmd.Script == lookScript {
		s.note("look on %s %v", s.host.Name, cmd.Argv[:3])
		return sshpool.Result{Stdout: []byte(s.depot.there + "end ok\n")}, nil
	}
	if cmd.Script == trustScript && s.depot.untrusted {
		return sshpool.Result{Stdout: []byte(`{"trusted":0}`)}, nil
	}
	if s.depot.lists != "" && len(cmd.Argv) > 0 && cmd.Argv[0] == "nix" {
		s.note("closure on %s", s.host.Name)
		return sshpool.Result{Stdout: []byte(s.depot.lists)}, nil
	}
	return s.session.Run(ctx, cmd)
}

func depotOf(t *testing.T, d *depot, toml string) (*Fleet, []Host) {
	f, hosts := fleetOf(t, d.world, toml)
	f.nix, f.dialer = d, d
	return f, hosts
}

// A system that was built elsewhere is deployed without an evaluation, from wherever it
// can be had.
func TestPrebuilt(t *testing.T) {
	nowhere := errors.New("no substituter has it")
	const there, name = "there yes\n", "host-name "
	given := map[string]Prebuilt{"a": {Toplevel: newSystem}}
	look := "look on a [" + string(newSystem) + " fetch s3://c]"
	for title, c := range map[string]struct {
		here  error
		there string
		opt   DeployOptions
		want  []string // besides the survey before and, for a host that goes on, the activation after
		says  string   // of a host that does not
	}{
		"on the host":     {nowhere, there, DeployOptions{Prebuilt: given}, []string{look}, ""},
		"of that host":    {nowhere, there + name + "a\n", DeployOptions{Prebuilt: given}, []string{look}, ""},
		"of another":      {nowhere, there + name + "b\n", DeployOptions{Prebuilt: given}, []string{look}, "is a system of b, not of a"},
		"asked for":       {nowhere, there + name + "b\n", DeployOptions{Prebuilt: given, OtherHost: true}, []string{look}, ""},
		"no system":       {nowhere, there + "lacks-nixos-version yes\n", DeployOptions{Prebuilt: given}, []string{look}, "is not a NixOS system that can be switched to: it has no nixos-version"},
		"nowhere":         {nowhere, "", DeployOptions{Prebuilt: given}, []string{look}, "is neither in this machine's store nor in the host's"},
		"here, no system": {nil, "", DeployOptions{Prebuilt: given}, nil, "it has no nixos-version and no bin/switch-to-configuration"},
		"on another": {nil, there, DeployOptions{Prebuilt: map[string]Prebuilt{"a": {newSystem, "b"}}}, []string{
			"try b", "look on b [" + string(newSystem) + " - ]", "reach from b: -- a cat /proc/sys/kernel/random/boot_id", `fetch from="ssh-ng://u@b?max-connections=1" ssh="to b"`, "closure here",
			`copy to="ssh-ng://a?max-connections=1" ssh="to a" substitute=false`}, ""},
		"not given":  {nil, "", DeployOptions{Prebuilt: map[string]Prebuilt{"b": {Toplevel: newSystem}}}, nil, "no system is given for it"},
		"no path":    {nil, "", DeployOptions{Prebuilt: map[string]Prebuilt{"a": {Toplevel: "-rf"}}}, nil, "is not a store path"},
		"and tested": {nil, "", DeployOptions{Prebuilt: given, Tested: &Report{}}, nil, "prebuilt, or what a test built, not both"},
	} {
		t.Run(title, func(t *testing.T) {
			d := &depot{world: &world{}, here: c.here, there: c.there}
			f, hosts := depotOf(t, d, threeOfThem)
			r := f.Deploy(t.Context(), hosts[1:], c.opt).Results[0]
			did := slices.DeleteFunc(d.did, func(what string) bool {
				return strings.HasPrefix(what, "survey a") || strings.HasPrefix(what, "realise ")
			})
			goesOn := len(did) > 0 && strings.HasPrefix(did[len(did)-1], "run on a: [activate")
			if goesOn {
				did = did[:len(did)-1]
			}
			if !slices.Equal(did, c.want) || goesOn != (c.says == "") {
				t.Errorf("did %q", d.did)
			}
			if c.says != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), c.says)) {
				t.Errorf("%v", r.Err)
			}
		})
	}
}

// Whose system it is, is told by the host name that it sets, or by its name.
func TestWhoseSystem(t *testing.T) {
	f := &Fleet{Inventory: &Inventory{Hosts: []Host{{Name: "web", Attr: "web"}, {Name: "web-1", Attr: "w1"}, {Name: "db", Attr: "db"}}}}
	for _, c := range []struct {
		host, live, path, sets string
		ours                   bool
	}{
		{"web", "", "nixos-system-web-26.05", "web", true},
		{"web", "", "nixos-system-db-26.05", "db", false},
		{"web", "www", "nixos-system-www-26.05", "www", true}, // networking.hostName is not its name here
		{"web", "www", "nixos-system-www2-26.05", "www2", false},
		{"web-1", "", "nixos-system-w1-26.05", "w1", true},
		{"web", "", "nixos-system-db-26.05", "", false},
		{"web", "", "nixos-system-unnamed-26.05", "", true}, // which nobody can tell
		{"db", "", "nixos-system-web-1-26.05", "", false},
		{"web-1", "", "nixos-system-web-1-26.05", "", true},
		{"web", "", "toplevel", "", true},
	} {
		h, _ := f.Inventory.Host(c.host)
		j := &job{fleet: f, host: h}
		err := j.isOurs(surveyed{survey: Survey{HostName: c.live}}, nixcmd.StorePath("/nix/store/11111111111111111111111111111111-"+c.path), c.sets)
		if (err == nil) != c.ours {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestReadPrebuilt(t *testing.T) {
	const a, b = "/nix/store/11111111111111111111111111111111-a", "/nix/store/22222222222222222222222222222222-b"
	both := map[string]Prebuilt{"x": {a, ""}, "y": {b, "p620"}}
	for text, want := range map[string]map[string]Prebuilt{
		"x " + a + "\ny " + b + " on p620\n":                  both,
		"# of today\n\n  x\t" + a + "\r\ny " + b + " on p620": both,
		`{"v":1,"kind":"started"}` + "\n" + `{"v":1,"kind":"report","report":{"hosts":[{"host":"x","outcome":"built","wanted":"` + a + `"},{"host":"z","outcome":"failed"},{"host":"y","outcome":"built","wanted":"` + b + `","built_on":"p620"}]}}`: both,
		`{"x": "` + a + `"}`: {"x": {a, ""}},
	} {
		got, err := ReadPrebuilt(strings.NewReader(text))
		if err != nil || len(got) != len(want) || got["x"] != want["x"] || got["y"] != want["y"] {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                                   "it names no host",
		"{}":                                 "it names no host",
		"x":                                  "line 1: it is neither",
		"\nx " + a + " at p620":              "line 2: it is neither",
		"x " + a + "\nx " + b:                "line 2: host x is named twice",
		"x result":                           `line 1: host x: "result" is not a store path`,
		"x " + a + ".drv":                    "is a derivation, not what it builds",
		"-x " + a:                            `"-x" cannot be the name of a host`,
		`{"x": 1}`:                           "host x: its path is no text",
		`{"x": "` + a:                        "it is not the JSON expected",
		`{"v":1,"kind":"report","report":7}`: "its report is not the JSON expected",
	} {
		if got, err := ReadPrebuilt(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// Whatever it reads, what comes of it can be deployed.
func FuzzReadPrebuilt(f *testing.F) {
	f.Add("x /nix/store/11111111111111111111111111111111-a on y")
	f.Add(`{"v":1,"kind":"report","report":{"hosts":[{"host":"x","outcome":"built","wanted":"/nix/store/11111111111111111111111111111111-a"}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ReadPrebuilt(strings.NewReader(text))
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%v, %v", got, err)
		}
		for host, p := range got {
			if _, err := nixcmd.ParseStorePath(string(p.Toplevel)); err != nil || !isWord(host, "-_.") {
				t.Errorf("%q: %+v", host, p)
			}
		}
	})
}

// What is built goes to the cache, signed; a key that others can read, or another than the
// public one says, is an error before anything is built; one that is not here is a word.
func TestPush(t *testing.T) {
	// The key pair of RFC 8032's first test, as Nix writes it.
	const public, secret = "k:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "k:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
	server := httptest.NewServer(http.NotFoundHandler()) // which is no cache yet
	defer server.Close()
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	file("good", secret+"\n", 0o600)
	file("open", secret+"\n", 0o644)
	file("other", "x"+secret, 0o600)
	file("text", "hello", 0o600)
	for _, c := range []struct {
		title, cache string
		want         []string
		says, warns  string
	}{
		{"ssh to a host of the fleet", `push = "ssh-ng://b"` + "\nsecret-key = \"" + dir + "/good\"",
			[]string{`sign with good store="" ssh=""`, `copy to="ssh-ng://u@b?max-connections=1" ssh="to b" substitute=false`, "closure on b"}, "", ""},
		{"as its user", `push = "ssh-ng://u@b"`, []string{`copy to="ssh-ng://u@b?max-connections=1" ssh="to b" substitute=false`}, "", ""},
		{"as another user", `push = "ssh-ng://me@b"`,
			[]string{`copy to="ssh-ng://me@b" ssh="-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5" substitute=false`}, "", ""},
		{"ssh elsewhere", `push = "ssh-ng://me@elsewhere"`,
			[]string{`copy to="ssh-ng://me@elsewhere" ssh="-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5" substitute=false`}, "", ""},
		{"files", `push = "file:///c"` + "\nsecret-key = \"" + dir + "/good\"",
			[]string{`copy to="file:///c?compression=zstd&secret-key=` + strings.ReplaceAll(dir, "/", "%2F") + `%2Fgood" ssh="" substitute=false`, `sign with good store="file:///c?compression=zstd" ssh=""`}, "", ""},
		{"http, as it says", `push = "` + server.URL + `?compression=xz"`, []string{`copy to="` + server.URL + `?compression=xz" ssh="" substitute=false`}, "", ""},
		{"http that is down", `push = "http://127.0.0.1:1"`, nil, "", "pushing to the fleet's cache http://127.0.0.1:1 failed: dial tcp"},
		{"no key here", `push = "file:///c"` + "\nsecret-key = \"" + dir + "/none\"", nil, "", "cache.secret-key: " + dir + "/none: no such file"},
		{"but it must", `push = "file:///c"` + "\nrequire-push = true\nsecret-key = \"" + dir + "/none\"", nil, "no such file", ""},
		{"an open key", `push = "file:///c"` + "\nsecret-key = \"" + dir + "/open\"", nil, "others can read it (mode 0644)", ""},
		{"another key", `push = "file:///c"` + "\nsecret-key = \"" + dir + "/other\"", nil, "is not the secret half of cache.public-key", ""},
		{"no key at all", `push = "file:///c"` + "\nsecret-key = \"" + dir + "/text\"", nil, "is not a secret key", ""},
		{"a directory", `push = "file:///c"` + "\nsecret-key = \"" + dir + "\"", nil, "is not a file", ""},
	} {
		t.Run(c.title, func(t *testing.T) {
			d := &depot{world: &world{}}
			f, hosts := depotOf(t, d, "[cache]\nurl = \"s3://c\"\npublic-key = \""+public+"\"\n"+c.cache+"\n[hosts.b]\nuser=\"u\"\n[hosts.a]\n")
			warned := ""
			f.sink = SinkFunc(func(e Event) {
				if e.Kind == KindWarning {
					warned += e.Text
				}
			})
			r := f.Test(t.Context(), hosts[1:], TestOptions{Push: true}).Results[0]
			did := slices.DeleteFunc(d.did, func(what string) bool { return strings.HasPrefix(what, "build ") })
			if !slices.Equal(did, c.want) {
				t.Errorf("did %q", d.did)
			}
			text := ""
			if r.Err != nil {
				text = r.Err.Error()
			}
			if r.NotPushed != warned {
				t.Errorf("the report says %q, the warning %q", r.NotPushed, warned)
			}
			if (text == "") != (c.says == "") || !strings.Contains(text, c.says) || (warned == "") != (c.warns == "") || !strings.Contains(warned, c.warns) {
				t.Errorf("says %q, warns %q", text, warned)
			}
			if all := text + warned; strings.Contains(all, secret[4:40]) {
				t.Errorf("the key is shown: %s", all)
			}
		})
	}
}

// A push that fails is a word, with what was pushed; the host is deployed all the same,
// unless the push is required.
func TestPushFails(t *testing.T) {
	for _, required := range []string{"false", "true"} {
		d := &depot{world: &world{}}
		d.copy = func(_ context.Context, opt nixcmd.CopyOptions) error {
			if !strings.HasPrefix(opt.To, "file:") {
				return nil
			}
			opt.Progress(nixcmd.CopyEvent{Path: oldSystem, Expected: 3})
			opt.Progress(nixcmd.CopyEvent{Path: newSystem, Done: 1, Expected: 3})
			return &nixcmd.CopyError{To: "file:///c?secret-key=/k", Message: "it is on fire\nand smoking"}
		}
		f, hosts := depotOf(t, d, "[cache]\nurl = \"s3://c\"\npublic-key = \""+goodKey+"\"\npush = \"file:///c\"\nrequire-push = "+required+"\n[hosts.a]\n")
		warned := ""
		f.sink = SinkFunc(func(e Event) {
			if e.Kind == KindWarning {
				warned += e.Text
			}
		})
		r := f.Deploy(t.Context(), hosts, DeployOptions{}).Results[0]
		const text = "pushing to the fleet's cache file:///c failed, with 2 of 3 paths begun: it is on fire; and smoking"
		activates := slices.ContainsFunc(d.did, func(what string) bool { return strings.HasPrefix(what, "run on a: [activate") })
		if required == "true" && (activates || !strings.Contains(r.Err.Error(), "a: push: "+text)) ||
			required == "false" && (!activates || !strings.Contains(warned, text)) {
			t.Errorf("%s: did %q, says %v, warns %q", required, d.did, r.Err, warned)
		}
	}
}

// What the store had before it is signed as well: Nix copies no signature of a path that is
// there, and hosts would never take those.
func TestPushSignsWhatWasThere(t *testing.T) {
	const public, secret = "k:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "k:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
	key := filepath.Join(t.TempDir(), "k")
	if err := os.WriteFile(key, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	lists := func(sigs string) string {
		return `{"` + string(newSystem) + `":{"narSize":7,"references":[],"signatures":[` + sigs + `]}}`
	}
	const again = `sign with k store="ssh-ng://u@b?max-connections=1" ssh="to b"`
	for title, c := range map[string]struct {
		push, lists string
		signed      int
		required    bool
		asks        bool
		says        string
	}{
		"signed":           {"ssh-ng://b", lists(`"x:s","k:s"`), 0, false, false, "the cache has it all"},
		"by another":       {"ssh-ng://b", lists(`"x:s"`), 1, false, true, "signed 1 path that the cache had"},
		"by nobody":        {"ssh-ng://b", lists(""), 1, false, true, "signed 1 path that the cache had"},
		"in files":         {"file:///c", "", 4, false, false, "signed 4 paths that the cache had"},
		"not to be signed": {"ssh-ng://b", lists(""), -1, false, true, "what the fleet's cache ssh-ng://b had before could not be signed: no trust"},
		"but it must be":   {"file:///c", "", -1, true, false, "what the fleet's cache file:///c had before could not be signed: no trust"},
		"not known":        {"ssh-ng://b", "Welcome!", 0, false, false, "had before could not be signed: unexpected output"},
	} {
		t.Run(title, func(t *testing.T) {
			d := &depot{world: &world{}, lists: c.lists, signed: c.signed}
			toml := "[cache]\nurl = \"s3://c\"\npublic-key = \"" + public + "\"\npush = \"" + c.push + "\"\nsecret-key = \"" + key + "\"\n"
			if c.required {
				toml += "require-push = true\n"
			}
			f, hosts := depotOf(t, d, toml+"[hosts.b]\nuser=\"u\"\n[hosts.a]\n")
			said := ""
			f.sink = SinkFunc(func(e Event) {
				if e.Step == StepPush {
					said += e.Text + "\n"
				}
			})
			r := f.Test(t.Context(), hosts[1:], TestOptions{Push: true}).Results[0]
			if r.Err != nil {
				said += r.Err.Error()
			}
			if (r.Err != nil) != c.required || !strings.Contains(said, c.says) || slices.Contains(d.did, again) != c.asks {
				t.Errorf("did %q, says %q", d.did, said)
			}
		})
	}
}

// A store that cannot be opened is tried once, not for each host in turn; what failed later,
// or was cancelled, says nothing of the next.
func TestShutStoreIsTriedOnce(t *testing.T) {
	for title, c := range map[string]struct {
		expected, copies int
	}{"shut": {0, 1}, "full": {3, 2}} {
		d := &depot{world: &world{}}
		d.copy = func(_ context.Context, opt nixcmd.CopyOptions) error {
			opt.Progress(nixcmd.CopyEvent{Text: "no", Expected: c.expected})
			return &nixcmd.CopyError{Message: "no"}
		}
		f, hosts := depotOf(t, d, "[cache]\nurl = \"s3://c\"\npublic-key = \""+goodKey+"\"\npush = \"file:///c\"\n[hosts.b]\n[hosts.a]\n")
		warned := []string{}
		f.sink = SinkFunc(func(e Event) {
			if e.Kind == KindWarning {
				warned = append(warned, e.Host+" "+e.Text)
			}
		})
		f.Test(t.Context(), hosts, TestOptions{Push: true})
		copies := 0
		for _, what := range d.did {
			if strings.HasPrefix(what, "copy ") {
				copies++
			}
		}
		if copies != c.copies || len(warned) != 2 {
			t.Errorf("%s: %d copies, %q", title, copies, warned)
		}
		if title == "shut" && (!strings.Contains(warned[0], "pushing to the fleet's cache file:///c failed: no") ||
			!strings.Contains(warned[1], "not pushed to the fleet's cache file:///c, which could not be pushed to for "+warned[0][:1])) {
			t.Errorf("%q", warned)
		}
	}
}

// Who may not push to a host of the fleet is told what to do.
func TestPushAsSomebodyWhoIsNotTrusted(t *testing.T) {
	d := &depot{world: &world{}, untrusted: true}
	d.copy = func(_ context.Context, opt nixcmd.CopyOptions) error {
		opt.Progress(nixcmd.CopyEvent{Path: newSystem, Expected: 1})
		return &nixcmd.CopyError{Message: "it lacks a signature"}
	}
	f, hosts := depotOf(t, d, "[cache]\nurl = \"s3://c\"\npublic-key = \""+goodKey+"\"\npush = \"ssh-ng://b\"\n[hosts.b]\nuser=\"u\"\n[hosts.a]\n")
	r := f.Test(t.Context(), hosts[1:], TestOptions{Push: true}).Results[0]
	if want := "pushing to the fleet's cache ssh-ng://b failed, with 1 of 1 paths begun: it lacks a signature; the Nix of b does not trust u: add that to its nix.settings.trusted-users"; r.NotPushed != want {
		t.Errorf("%q", r.NotPushed)
	}
}

// A web server that has no nix-cache-info gets one from Nix, whatever Nix remembers of it.
func TestPushMakesACache(t *testing.T) {
	for _, is := range []bool{false, true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !is {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write([]byte("StoreDir: /nix/store\n"))
		}))
		defer server.Close()
		d := &depot{world: &world{}}
		dir := ""
		d.copy = func(_ context.Context, opt nixcmd.CopyOptions) error {
			if dir = opt.Memory; dir != "" {
				_, err := os.Stat(dir)
				return err
			}
			return nil
		}
		f, hosts := depotOf(t, d, "[cache]\nurl = \"s3://c\"\npublic-key = \""+goodKey+"\"\npush = \""+server.URL+"\"\n[hosts.a]\n")
		r := f.Test(t.Context(), hosts, TestOptions{Push: true}).Results[0]
		if _, err := os.Stat(dir); r.NotPushed != "" || (dir == "") != is || err == nil {
			t.Errorf("a cache %t: %q, %q, %v", is, r.NotPushed, dir, err)
		}
	}
}
