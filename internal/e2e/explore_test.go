package e2e

import (
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

func TestExplore(t *testing.T) {
	m := inLab(t)
	sh := func(line string) { t.Helper(); m.must(lab.Control, "cat >/root/line <<'E'\n"+line+"\nE"); o := m.run("bash /root/line"); t.Logf("$ %s\n[%d] %s%s", line, o.code, o.stdout, o.stderr) }
	on := func(h, line string) { t.Helper(); o := m.runOn(h, line); t.Logf("%s$ %s\n[%d] %s%s", h, line, o.code, o.stdout, o.stderr) }
	m.must(lab.Control, `cat >/root/ts.pl <<'E'
use Time::HiRes qw(time); $|=1; $b=time; while(<STDIN>){printf "%.3f %s", time-$b, $_ if length($_)<400}
E
mkdir -p /root/gen; cd /root/gen; for i in $(seq 600); do head -c 3000 /dev/urandom >s$i; done; nix-store --add s* >/root/small
yes 'the quick brown fox' | head -c 30000000 >text; nix-store --add text >/root/text; head -c 60000000 /dev/urandom >rand; nix-store --add rand >/root/rand`)
	const pre = `TIMEFORMAT='%R s'; export NIX_SSHOPTS="-o ControlMaster=no -o ControlPath=/root/m"; N="nix --extra-experimental-features nix-command copy --no-check-sigs --to ssh-ng://root@p510?max-connections=1"; master() { ssh -S /root/m -O exit root@p510; rm -f /root/m; ssh -M -N -f -o BatchMode=yes -o ServerAliveInterval=5 -o ControlPersist=600 -S /root/m root@p510; }; del() { sleep 1; ssh -S /root/m root@p510 'xargs nix-store --delete >/dev/null 2>&1' </root/small; };` + "\n"
	for _, rtt := range []time.Duration{0, 20, 100} {
		m.fault("latency", m.Latency(t.Context(), "p510", rtt*time.Millisecond))
		sh(pre + `master 2>/dev/null; for i in 1 2; do time ssh -S /root/m root@p510 true; done; $N $(cat /root/small) 2>&1 | tail -1
for i in 1 2 3; do del; echo copy; time $N $(cat /root/small) >/dev/null 2>&1; echo nothing; time $N $(cat /root/small) >/dev/null 2>&1; echo nothing, one; time $N $(head -1 /root/small) >/dev/null 2>&1;  done
del; echo stdin; time $N --stdin </root/small >/dev/null 2>&1`)
	}
	sh(pre + `del; $N -vvvvv $(cat /root/small) 2>&1 </dev/null | perl /root/ts.pl >/root/log; grep -vE 'copying path|locking path|lock acq|lock rel|substitution of' /root/log | head -60; tail -3 /root/log; grep -n "copying path" /root/log | sed -n '1p;300p;600p'; grep -n "substitution of" /root/log | sed -n '1p;$p'`)
	m.fault("latency", m.Latency(t.Context(), "p510", 0))
	sh(pre + `tx() { ip -s link | grep -A1 'TX:' | tail -1 | cut -d' ' -f5; }; d() { sleep 1; ssh -S /root/m root@p510 nix-store --delete $(cat /root/text) 2>&1 | tail -1; }
tx; time $N'&compress=true' $(cat /root/text); tx; d
ssh -M -N -f -o BatchMode=yes -o Compression=yes -o ControlPersist=600 -S /root/c root@p510; tx; export NIX_SSHOPTS="-o ControlMaster=no -o ControlPath=/root/c"; time $N $(cat /root/text); tx; d`)
	// A copy of which the link is cut: does the far end hold the lock?
	m.fault("bandwidth", m.Bandwidth(t.Context(), "p510", 40_000_000))
	sh(pre + `master; ($N $(cat /root/rand) >/root/first 2>&1; echo ended $? >>/root/first) </dev/null >/dev/null 2>&1 & sleep 4`)
	m.fault("cut", m.Cut(t.Context(), "p510"))
	sh("for i in $(seq 30); do grep -q ended /root/first && break; sleep 1; done; echo after $i s; cat /root/first")
	m.fault("restore", m.Restore(t.Context(), "p510"))
	sh(pre + `master; (time timeout 100 $N $(cat /root/rand)) 2>&1 | perl /root/ts.pl`)
	on("p510", "pgrep -af 'nix-daemon --stdio'")
	m.fault("bandwidth", m.Bandwidth(t.Context(), "p510", 0))
}
