package e2e

import (
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// A name of a tailnet (MagicDNS) is an address like any other: its key is looked
// up under that name, and never recorded unasked.
func TestTailnetName(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.deployed()
	const name = "p510.tail1234.ts.net"
	for _, file := range []string{"/etc/hosts", "/root/.ssh/known_hosts"} {
		m.must(lab.Control, "cp -p "+file+" "+file+".before")
		t.Cleanup(func() { m.must(lab.Control, "cat "+file+".before >"+file+" && rm "+file+".before") })
	}
	m.must(lab.Control, "sed -n 's/ p510$/ "+name+"/p' /etc/hosts >/tmp/line && cat /tmp/line >>/etc/hosts && rm /tmp/line && "+
		`printf 'address = "`+name+`"\n' >/tmp/address && sed -i '/^.hosts.p510.$/r /tmp/address' fleet.toml && rm /tmp/address`)
	m.run("flotilla pingHosts -on=p510").exits(1).says("add its key to known_hosts")
	m.must(lab.Control, `cp fleet.toml /tmp/plain && sed -i '/^address/a ssh-options = ["HostKeyAlias=p510"]' fleet.toml`)
	m.run("flotilla pingHosts -on=p510").exits(0)
	m.must(lab.Control, "mv /tmp/plain fleet.toml")
	m.must(lab.Control, "ssh-keygen -F p510 | sed -n 's/^p510[^ ]* /"+name+" /p' >/tmp/key && cat /tmp/key >>/root/.ssh/known_hosts && rm /tmp/key")
	m.set("p510", `environment.etc.motd.text = "over the tailnet";`)
	m.run("flotilla quickDeploy p510").exits(0).says("p510: switched")
	m.settled("p510")
}
