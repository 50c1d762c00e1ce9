package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// cacheAddress is where the guide has the fleet's cache.
const cacheAddress = "p620:5000"

// serveCache makes p620 serve a binary cache with nginx, which takes uploads as well, with
// a key of its own, and fleet.toml know it. A further line of nginx's is put into the
// location.
func (m *machine) serveCache(further string) {
	m.t.Helper()
	m.must("p620", `systemctl stop nix-serve 2>/dev/null; rm -rf /srv/cache; mkdir -p /srv/cache /srv/tmp; chown -R www-data: /srv/cache /srv/tmp
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
	o.says("could not be fetched; sent from here")
	if use.LackedPaths == 0 || use.FetchedPaths != 0 {
		t.Errorf("truncated: %+v", use)
	}
	m.settled("p510")
}
