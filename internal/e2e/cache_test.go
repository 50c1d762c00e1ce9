package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// cacheAddress is where the guide has the fleet's cache.
const cacheAddress = "p620:5000"

// serveCache makes p620 serve a binary cache with nginx, which takes uploads as well, with
// a key of its own, and fleet.toml know it. A further line of nginx's is put into the
// location.
func (m *machine) serveCache(further string) {
	m.t.Helper()
	m.must("p620", `systemctl stop nix-serve 2>/dev/null; rm -rf /srv/cache; mkdir -p /srv/cache /srv/tmp; printf 'StoreDir: /nix/store\nWantMassQuery: 1\n' >/srv/cache/nix-cache-info; chown -R www-data: /srv/cache /srv/tmp
cat >/srv/nginx.conf <<'END'
user www-data;
pid /srv/nginx.pid;
events {}
http {
  access_log /srv/access.log;
  error_log /srv/error.log;
  client_max_body_size 0;
  client_body_temp_path /srv/tmp;
  server {
    listen 5000;
    root /srv/cache;
    location / {
      `+further+`
      dav_methods PUT;
      create_full_put_path on;
    }
  }
}
END
systemctl stop lab-cache 2>/dev/null; rm -f /srv/access.log
systemd-run --quiet --collect --unit=lab-cache nginx -c /srv/nginx.conf -g 'daemon off;'
i=0; until [ -e /srv/nginx.pid ] || [ $((i += 1)) = 100 ]; do sleep 0.05; done`)
	m.must(lab.Control, `mkdir -p -m 700 /root/keys; cd /root/keys; umask 077
		for name in p620-1 other; do [ -e $name ] || nix key generate-secret --key-name $name >$name; done`)
	m.t.Cleanup(func() {
		m.must("p620", "systemctl stop lab-cache; rm -rf /srv/cache /srv/tmp /srv/nginx.conf /srv/*.log; systemctl start nix-serve 2>/dev/null || :")
		m.must(lab.Control, "rm -rf /root/keys")
	})
	m.must(lab.Control, `printf '\n[cache]\nurl = "http://`+cacheAddress+`"\npublic-key = "%s"\n' "$(nix key convert-secret-to-public </root/keys/p620-1)" >>fleet.toml`)
}

// trustCache makes a host trust a key, by its file in control, for the test.
func (m *machine) trustCache(host, key string) {
	m.t.Helper()
	public := m.must(lab.Control, "nix key convert-secret-to-public </root/keys/"+key)
	m.must(host, "echo 'trusted-public-keys = "+public+"' >>/etc/nix/nix.conf")
	m.t.Cleanup(func() { m.must(host, "sed -i '/^trusted-public-keys/d' /etc/nix/nix.conf") })
}

// cacheUse is what a deployment's report says of the cache.
type cacheUse struct {
	LackedPaths  int   `json:"lacked_paths"`
	LackedBytes  int64 `json:"lacked_bytes"`
	FetchedPaths int   `json:"fetched_paths"`
	FetchedBytes int64 `json:"fetched_bytes"`
}

// cached deploys with the cache, and wants it to go well.
func (m *machine) cached(line string) (outcome, cacheUse) {
	m.t.Helper()
	o := m.run(line + " -json").exits(0)
	var last struct {
		Report struct{ Hosts []struct{ Cache cacheUse } }
	}
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(last.Report.Hosts) != 1 {
		m.t.Fatalf("%v\n%s", err, o.stdout)
	}
	return o, last.Report.Hosts[0].Cache
}

// next changes p510's configuration, builds it, and puts it into the cache, signed with a
// key or, without one, not at all.
func (m *machine) next(text, key string) {
	m.t.Helper()
	m.must(lab.Control, fmt.Sprintf(`sed -i '/"cache:/d' hosts/p510/default.nix; sed -i 's|imports = \[|&\n{ environment.etc.motd.text = "cache: %s"; lab.bigPackageMiB = 2; lab.salt = "%[1]s"; }|' hosts/p510/default.nix; grep -q 'cache: %[1]s' hosts/p510/default.nix`, text))
	url := "http://" + cacheAddress
	if key != "" {
		url += "?secret-key=/root/keys/" + key
	}
	m.must(lab.Control, `nix copy --option narinfo-cache-positive-ttl 0 --to '`+url+`' $(flotilla buildAllParallel -on=p510 2>/dev/null | cut -d ' ' -f 2)`)
}

// A host takes from the fleet's cache what a key has signed that it trusts, and nothing
// else; the rest is sent from here, with the reason.
func TestDeployCached(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("")
	m.trustCache("p510", "p620-1")

	m.next("signed", "p620-1")
	m.fetchAsGuest()
	o, use := m.cached("flotilla deployCached p510")
	if use.LackedPaths == 0 || use.FetchedPaths != use.LackedPaths || use.FetchedBytes != use.LackedBytes || use.LackedBytes < 2<<20 {
		t.Errorf("signed: %+v", use)
	}
	o.says("100 % of 2.", "from the fleet's cache")
	if got := m.must("p620", "grep -c 'GET /nar/' /srv/access.log"); got == "0" {
		t.Error("the host has fetched nothing")
	}
	m.settled("p510")
	m.run("flotilla metrics -offline").exits(0).says(`flotilla_cache_paths_total{host="p510",result="hit"} ` + fmt.Sprint(use.FetchedPaths))
	m.run("flotilla history -json -last=1").exits(0).says(`"fetched_paths":` + fmt.Sprint(use.FetchedPaths))

	m.next("unsigned", "")
	o, use = m.cached("flotilla deployCached p510")
	o.says("nobody has signed them")
	if use.LackedPaths == 0 || use.FetchedPaths != 0 {
		t.Errorf("unsigned: %+v", use)
	}
	m.settled("p510")

	m.next("other", "other")
	o, use = m.cached("flotilla deployCached p510")
	o.says("signed by other, whom the host does not trust", "trusted-public-keys")
	if use.LackedPaths == 0 || use.FetchedPaths != 0 {
		t.Errorf("another key: %+v", use)
	}
	m.settled("p510")

	// Somebody else's key of the same name.
	m.must(lab.Control, "mv /root/keys/other /root/keys/real; nix key generate-secret --key-name p620-1 >/root/keys/other")
	m.next("forged", "other")
	o, use = m.cached("flotilla deployCached p510")
	o.says("what is signed as p620-1 is not signed by the key that the host has under that name")
	if use.LackedPaths == 0 || use.FetchedPaths != 0 {
		t.Errorf("a forged signature: %+v", use)
	}
	m.settled("p510")

	// Of each archive half is there.
	m.next("truncated", "p620-1")
	m.must("p620", `find /srv/cache/nar -newer /srv/nginx.pid -type f | while read -r f; do truncate -s "$(($(stat -c %s "$f") / 2))" "$f"; done`)
	o, use = m.cached("flotilla deployCached p510")
	o.says("could not be fetched; sent from here. The host's Nix says: ").saysNot("The host's Nix says: build of")
	// Which of the archives it comes to the end of first, and what it says of that, differs.
	if !strings.Contains(o.stdout+o.stderr, "archive (") && !strings.Contains(o.stdout+o.stderr, "compressed data (") {
		t.Errorf("not why: %s%s", o.stdout, o.stderr)
	}
	if use.LackedPaths == 0 || use.FetchedPaths != 0 {
		t.Errorf("truncated: %+v", use)
	}
	m.settled("p510")
}

// fetchAsGuest wants a user whom Nix does not trust to be able to fetch from a cache that
// is among the host's trusted-substituters, and from no other.
func (m *machine) fetchAsGuest() {
	m.t.Helper()
	script, err := os.ReadFile("../../fleet/remote/fetch.sh")
	if err != nil {
		m.t.Fatal(err)
	}
	path := m.must(lab.Control, "nix-store -qR $(flotilla buildAllParallel -on=p510 2>/dev/null | cut -d ' ' -f 2) | grep 'etc-motd$'")
	lacks := func() bool {
		m.t.Helper()
		res, err := m.Exec(m.t.Context(), lab.ExecOptions{Host: "p510", Stdin: strings.NewReader("7 " + path + "\n"),
			Argv: []string{"setpriv", "--reuid=guest", "--regid=guest", "--init-groups", "env", "HOME=/home/guest", "NIX_REMOTE=daemon",
				"sh", "-c", string(script), "sh", "only", "http://" + cacheAddress, "20", "1000"}})
		if said := string(res.Stdout); err != nil || !strings.Contains(said, "\nlacked "+path+"\n") || !strings.HasSuffix(said, "end ok\n") {
			m.t.Fatalf("%v\n%s\n%s", err, said, res.Stderr)
		}
		return strings.Contains(string(res.Stdout), "\nlacks "+path+"\n")
	}
	if !lacks() {
		m.t.Error("a user whom Nix does not trust named a cache to it")
	}
	m.must("p510", "echo 'trusted-substituters = http://"+cacheAddress+"' >>/etc/nix/nix.conf; systemctl restart nix-daemon")
	if lacks() {
		m.t.Error("nothing was fetched from a trusted substituter")
	}
	m.must("p510", "sed -i '/^trusted-substituters/d' /etc/nix/nix.conf; systemctl restart nix-daemon")
}

// fetching runs deployCached for p510 from a cache that is slow to deliver, calls then once
// the host has a part of a large path, and returns how the deployment ended.
func (m *machine) fetching(salt string, then func()) outcome {
	m.t.Helper()
	m.next(salt, "p620-1")
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla deployCached p510") }()
	m.must("p510", `i=0; until [ "$(du -s /nix/store/*-lab-big-2.`+salt+` 2>/dev/null | cut -f 1)" -gt 100 ] 2>/dev/null; do [ $((i += 1)) -lt 600 ]; sleep 0.05; done`)
	then()
	return <-done
}

// A cache that is down or frozen is noticed before anything else and left out; one that
// dies or falls silent in the middle of a path costs a warning.
func TestCacheGoesAway(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("limit_rate 100k;")
	m.trustCache("p510", "p620-1")

	m.fetching("interrupted", func() { m.must(lab.Control, "kill -INT $(pidof flotilla)") }).exits(130).says("p510: cancelled")
	m.must("p510", `i=0; while pgrep -f "[n]ix-store --realise" >/dev/null; do [ $((i += 1)) -lt 200 ]; sleep 0.05; done`)

	m.fetching("killed", func() { m.must("p620", "systemctl kill -s KILL lab-cache") }).exits(0).
		says("p510: switched", "the fleet's cache stopped answering", "3 paths are sent from here")
	m.settled("p510")

	m.must("p620", "systemd-run --quiet --collect --unit=lab-cache nginx -c /srv/nginx.conf -g 'daemon off;'; i=0; until curl -sf http://127.0.0.1:5000/nix-cache-info >/dev/null 2>&1 || perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(\"127.0.0.1:5000\")'; do [ $((i += 1)) -lt 100 ]; sleep 0.05; done")
	m.fetching("frozen", func() { m.must("p620", "systemctl kill -s STOP lab-cache") }).exits(0).
		says("p510: switched", "sent from here")
	m.settled("p510")

	m.set("p510", `environment.etc.issue.text = "frozen";`)
	m.run("flotilla deployCached p510").exits(0).says("is left out: no answer within 3 s", "p510: switched")
	m.settled("p510")

	// What takes too long is ended on the host, which says what it has got.
	script, err := os.ReadFile("../../fleet/remote/fetch.sh")
	if err != nil {
		t.Fatal(err)
	}
	const never = "/nix/store/00000000000000000000000000000000-never"
	res, err := m.Exec(t.Context(), lab.ExecOptions{Host: "p510", Stdin: strings.NewReader("7 " + never + "\n7 " + m.settled("p510") + "\n"),
		Argv: []string{"sh", "-c", string(script), "sh", "only", "http://" + cacheAddress, "1", "1000"}})
	if said := string(res.Stdout); err != nil || !strings.HasPrefix(said, "flotilla-fetch 1\nlacked "+never+"\n") ||
		!strings.Contains(said, "\nstatus 124\nlacks "+never+"\nkey p620-1:") || !strings.HasSuffix(said, "\nend ok\n") {
		t.Errorf("%v\n%s\n%s", err, res.Stdout, res.Stderr)
	}
	m.must("p620", "systemctl kill -s CONT lab-cache")
}

// saysNot wants a text nowhere.
func (o outcome) saysNot(text string) outcome {
	o.t.Helper()
	if strings.Contains(o.stdout+o.stderr, text) {
		o.t.Errorf("%s: says %q\nstdout:\n%s\nstderr:\n%s", o.line, text, o.stdout, o.stderr)
	}
	return o
}

// cacheSetting adds a line to fleet.toml's [cache], which is its last section.
func (m *machine) cacheSetting(line string) {
	m.t.Helper()
	m.must(lab.Control, "echo '"+line+"' >>fleet.toml")
}

// What is built is pushed, signed, to a web server by PUT, to another store over ssh, or
// into a directory; a cache that is down costs a warning, and is an error only if it was
// said to be one.
func TestPushToTheCache(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("")
	m.trustCache("p510", "p620-1")
	m.must(lab.Control, "cp fleet.toml /root/keys/fleet.toml")
	m.cacheSetting(`push = "http://p620:5000"`)
	m.cacheSetting(`secret-key = "/root/keys/p620-1"`)

	// A host that fetches waits for the push.
	m.set("p510", `environment.etc.issue.text = "pushed";`)
	o, use := m.cached("flotilla deployCached p510")
	if use.LackedPaths == 0 || use.FetchedPaths != use.LackedPaths {
		t.Errorf("%+v", use)
	}
	o.says(" paths to http://p620:5000")
	m.settled("p510")
	key := strings.Split(m.must(lab.Control, "cat /root/keys/p620-1"), ":")[1]
	o.saysNot(key)
	m.run("flotilla buildAllParallel -on=p510").exits(0).says("the cache has it all").saysNot(key)

	m.must("p620", "systemctl stop lab-cache")
	m.set("razer", `environment.etc.issue.text = "not pushed";`)
	m.run("flotilla quickDeploy razer").exits(0).says("pushing to the fleet's cache http://p620:5000 failed", "razer: switched", "not pushed to the fleet's cache")
	m.run("flotilla buildAllParallel -on=razer,p510").exits(0).says("which could not be pushed to for", "2 not pushed to the fleet's cache")
	m.settled("razer")
	m.cacheSetting("require-push = true")
	m.set("razer", `environment.etc.motd.text = "not pushed either";`)
	before := m.systems("razer")
	m.run("flotilla quickDeploy razer").exits(1).says("razer: push failed: pushing to the fleet's cache http://p620:5000 failed")
	if after := m.systems("razer"); after != before {
		t.Errorf("razer changed: %+v, then %+v", before, after)
	}

	m.must(lab.Control, "chmod 644 /root/keys/p620-1")
	m.run("flotilla quickDeploy razer").exits(1).says("/root/keys/p620-1: others can read it (mode 0644)", "chmod 600")
	m.must(lab.Control, "chmod 600 /root/keys/p620-1; cp /root/keys/fleet.toml fleet.toml")

	m.cacheSetting(`push = "ssh-ng://p620"`)
	m.cacheSetting(`secret-key = "/root/keys/p620-1"`)
	built := strings.Fields(m.run("flotilla buildAllParallel -on=razer").exits(0).stdout)[1]
	// Most of it p620 had before, from its own deployments, signed by nobody.
	if sigs := m.must("p620", "nix path-info -r --json "+built); !strings.Contains(sigs, "p620-1:") || strings.Contains(sigs, `"signatures":[]`) {
		t.Errorf("p620 has it without a signature: %s", sigs)
	}
	m.run("flotilla buildAllParallel -on=razer").exits(0).says("the cache has it all")

	m.must(lab.Control, `sed -i 's|^push = .*|push = "file:///root/keys/cache"|' fleet.toml`)
	m.run("flotilla buildAllParallel -on=razer").exits(0).says(" paths to file:///root/keys/cache")
	if info := m.must(lab.Control, "cat /root/keys/cache/$(basename "+built+" | cut -c 1-32).narinfo"); !strings.Contains(info, "Sig: p620-1:") || !strings.Contains(info, "Compression: zstd") {
		t.Errorf("%s", info)
	}
}

// What was pushed before there was a key is signed by the next push: hosts would never take
// it, and the cache has it all.
func TestPushSignsWhatTheCacheHad(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("")
	m.must(lab.Control, "cp /root/keys/p620-1 /root/.ssh/cache-key")
	t.Cleanup(func() { m.must(lab.Control, "rm -f /root/.ssh/cache-key") })
	m.cacheSetting(`push = "http://` + cacheAddress + `"`)
	for version, run := range map[string]func(string) outcome{"2.26": m.run, "2.34": m.newer} {
		m.set("razer", `environment.etc.motd.text = "pushed by Nix `+version+`";`)
		o := run("flotilla buildAllParallel -on=razer").exits(0).says(" paths to http://" + cacheAddress)
		narinfo := "cat /srv/cache/$(basename " + strings.Fields(o.stdout)[1] + " | cut -c 1-32).narinfo"
		if info := m.must("p620", narinfo); strings.Contains(info, "Sig:") {
			t.Errorf("%s: %s", version, info)
		}
		m.cacheSetting(`secret-key = "/root/.ssh/cache-key"`)
		run("flotilla buildAllParallel -on=razer").exits(0).says("│ push ", "signed ", " that the cache had")
		if info := m.must("p620", narinfo); !strings.Contains(info, "Sig: p620-1:") {
			t.Errorf("%s: %s", version, info)
		}
		run("flotilla buildAllParallel -on=razer").exits(0).says("the cache has it all")

		// Nix remembers for a week that the cache is one.
		m.must("p620", "rm -rf /srv/cache/*")
		run("flotilla buildAllParallel -on=razer").exits(0).says(" paths to http://" + cacheAddress)
		m.must("p620", "cat /srv/cache/nix-cache-info")
		if info := m.must("p620", narinfo); !strings.Contains(info, "Sig: p620-1:") {
			t.Errorf("%s, cleared: %s", version, info)
		}
		m.must(lab.Control, "sed -i '/^secret-key/d' fleet.toml")
	}
}

// A Nix that has s3:// (Debian's 2.34, without credentials) pushes to a bucket that everybody
// may write to, signed, and fetches from it; one that has not (2.26) says so, and goes on, as
// does a run whose bucket's server is down.
func TestCacheInABucket(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("")
	const bucket = "s3://bucket?endpoint=http://" + cacheAddress + "&region=us-east-1"
	m.must(lab.Control, "sed -i 's|^url = .*|url = \""+strings.ReplaceAll(bucket, "&", `\&`)+"\"|' fleet.toml; cp /root/keys/p620-1 /root/.ssh/cache-key")
	t.Cleanup(func() { m.must(lab.Control, "rm -f /root/.ssh/cache-key") })
	m.cacheSetting(`push = "` + bucket + `"`)
	m.cacheSetting(`secret-key = "/root/.ssh/cache-key"`)

	m.set("p510", `environment.etc.motd.text = "in a bucket";`)
	o := m.newer("flotilla buildAllParallel -on=p510").exits(0).says(" paths to " + bucket)
	built := strings.Fields(o.stdout)[1]
	info := m.must("p620", "cat /srv/cache/bucket/$(basename "+built+" | cut -c 1-32).narinfo")
	if !strings.Contains(info, "Sig: p620-1:") || !strings.Contains(info, "Compression: zstd") {
		t.Errorf("%s", info)
	}
	m.newer("flotilla buildAllParallel -on=p510").exits(0).says("the cache has it all")
	m.must("p620", ": >/srv/access.log")
	m.newer("rm -f /root/.local/state/flotilla/roots/*/p510; nix-store --delete " + built).exits(0)
	m.newer("flotilla deployCached p510").exits(0).says("p510: switched")
	m.settled("p510")
	if got := m.must("p620", "grep -c 'GET /bucket/nar/' /srv/access.log || :"); got == "0" {
		t.Error("nothing was fetched from the bucket")
	}

	// Neither this machine's Nix nor the host's has it.
	m.set("p510", `environment.etc.issue.text = "not in a bucket";`)
	o = m.run("flotilla deployCached p510").exits(0)
	o.says("pushing to the fleet's cache "+bucket+" failed", "don't know how to open Nix store with scheme 's3'", "paths were not fetched from the fleet's cache", "p510: switched")
	m.settled("p510")

	m.must("p620", "systemctl stop lab-cache")
	m.set("p510", `environment.etc.release.text = "no server";`)
	m.newer("flotilla deployCached p510").exits(0).
		says("the fleet's cache "+bucket+" is left out: ", "connection refused", "pushing to the fleet's cache "+bucket+" failed", "p510: switched")
	m.settled("p510")
}

// A system that was built elsewhere is deployed without an evaluation: from this machine's
// store, from the fleet's cache, or from the host's own.
func TestDeployPrebuilt(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("")
	m.set("p510", `environment.etc.motd.text = "prebuilt";`)
	m.set("razer", `environment.etc.motd.text = "prebuilt";`)
	m.must(lab.Control, "flotilla buildAllParallel -on=p510,razer >/root/keys/paths; git checkout -q hosts; sed -i 's/^{$/{ throw \"evaluated\";/' hosts/p510/default.nix")
	p510, razer := m.must(lab.Control, "sed -n 's/^p510 //p' /root/keys/paths"), m.must(lab.Control, "sed -n 's/^razer //p' /root/keys/paths")

	m.run("flotilla plan -prebuilt=/root/keys/paths").exits(0).says("p510: to deploy", "razer: to deploy", "copy: ")
	m.run("flotilla diff p510 -toplevel=" + p510).exits(0).says("etc-motd")
	m.run("flotilla deploy razer -toplevel="+p510).exits(1).says("is a system of p510, not of razer", "-otherHost")
	m.run("flotilla deployAllParallel -prebuilt=- -yes </root/keys/paths").exits(0).saysNot("evaluate").says("prebuilt")
	if m.settled("p510") != p510 || m.settled("razer") != razer {
		t.Errorf("they run %s and %s", m.settled("p510"), m.settled("razer"))
	}
	m.run("flotilla deployAll -prebuilt=/root/keys/paths -yes").exits(0).row("p510", "unchanged").row("razer", "unchanged")
	m.run("flotilla deploy p510 -toplevel=$(dirname " + p510 + ")/$(ls /nix/store | grep -m 1 'etc-motd$')").exits(1).
		says("is not a NixOS system that can be switched to: it has no nixos-version and no bin/switch-to-configuration")

	// Only in the fleet's cache, then only in the host's store.
	m.run("flotilla rollback p510 -yes").exits(0)
	gone := "rm -f /root/.local/state/flotilla/roots/*/p510; nix-store --delete " + p510
	m.must(lab.Control, "nix copy --to 'http://p620:5000?secret-key=/root/keys/p620-1' "+p510+"; "+gone)
	m.run("flotilla deploy p510 -toplevel="+p510).exits(0).says("prebuilt, ", " downloaded", "p510: switched")
	if m.settled("p510") != p510 {
		t.Errorf("p510 runs %s", m.settled("p510"))
	}
	m.run("flotilla rollback p510 -yes").exits(0)
	m.must("p620", "systemctl stop lab-cache")
	m.must(lab.Control, gone)
	m.run("flotilla deploy p510 -toplevel=" + p510 + " -dry").exits(0).says("p510: to deploy")
	m.run("flotilla deploy p510 -toplevel="+p510).exits(0).says("prebuilt, and fetched by the host", "p510: switched")
	if m.settled("p510") != p510 {
		t.Errorf("p510 runs %s", m.settled("p510"))
	}
	nowhere := strings.Replace(p510, p510[len("/nix/store/"):][:4], "0000", 1)
	m.run("flotilla deploy p510 -toplevel=" + nowhere).exits(1).says("is neither in this machine's store nor in the host's")
}

// The commands of the workflow that builds in one place and deploys from another.
func TestPrebuiltWorkflow(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.serveCache("")
	m.cacheSetting(`push = "http://p620:5000"`)
	m.cacheSetting(`secret-key = "cache.secret"`)
	m.set("razer", `environment.etc.motd.text = "built in CI";`)
	m.must(lab.Control, "install -m 600 /root/keys/p620-1 cache.secret; ln -s "+lab.FlotillaPath+" /root/keys/mage")
	_, w := workflow(t, "prebuilt.yml")
	run := func(job, step, env string) string {
		t.Helper()
		for _, s := range w.Jobs[job].Steps {
			if s.Name.Value == step {
				return m.must(lab.Control, "export CI=true FLOTILLA_YES=1 GITHUB_OUTPUT=/root/keys/output PATH=/root/keys:$PATH; "+env+"\n"+s.Exec.(*actionlint.ExecRun).Run.Value)
			}
		}
		t.Fatalf("no step %q", step)
		return ""
	}
	run("build", "Build and push", "")
	systems := m.must(lab.Control, "grep -v -e '^systems<<END$' -e '^END$' /root/keys/output")
	if n := strings.Count(systems, "/nix/store/"); n != len(lab.Hosts()) {
		t.Fatalf("%d systems: %s", n, systems)
	}
	m.must(lab.Control, "git checkout -q hosts")
	deployed := run("deploy", "Deploy what was built", "SYSTEMS='"+systems+"'")
	if !strings.Contains(systems, "razer "+m.settled("razer")) {
		t.Errorf("razer was not deployed:\n%s", deployed)
	}
}
