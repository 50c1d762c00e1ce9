package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// monitored is dex5550 as the monitoring host: a real Prometheus, Alertmanager and
// Pushgateway, that scrape and are told by control. Their usual ports have the lab's
// miniatures of them.
type monitored struct{ *machine }

const (
	monitoringHost = "dex5550"
	monitoringDir  = "/run/lab-monitoring"
)

// The exporter is given a little less than three seconds for the fleet.
const prometheusConfig = `
global: { scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s }
rule_files: [rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ["127.0.0.1:19093"] }] }] }
scrape_configs:
  - { job_name: flotilla, static_configs: [{ targets: ["control:9479"] }] }
  - { job_name: pushgateway, honor_labels: true, static_configs: [{ targets: ["127.0.0.1:19091"] }] }
`

const alertmanagerConfig = `
route: { receiver: nobody, group_by: [alertname, host], group_wait: 0s }
receivers: [{ name: nobody }]
`

// Nothing in the image speaks HTTP but what is tested.
const alertmanagerHas = `for n in $(seq 100); do
  exec 3<>/dev/tcp/127.0.0.1/19093 || exit
  printf 'GET /api/v2/alerts?active=true HTTP/1.0\r\n\r\n' >&3
  if grep -q "\"alertname\":\"$1\"" <&3; then exit; fi
  sleep 0.2
done
exit 1
`

// newMonitored starts it all, or skips the test where Debian's packages cannot be had.
func newMonitored(t *testing.T) *monitored {
	t.Helper()
	m := &monitored{inLab(t)}
	if err := m.AddMonitoring(t.Context(), monitoringHost); err != nil {
		t.Skipf("Debian's Prometheus, Alertmanager and Pushgateway cannot be had here: %v", err)
	}
	m.must(monitoringHost, "rm -rf "+monitoringDir+" && mkdir "+monitoringDir)
	m.write("prometheus.yml", prometheusConfig)
	m.write("alertmanager.yml", alertmanagerConfig)
	m.write("alertmanager-has", alertmanagerHas)
	rules := m.run("flotilla metrics -rules").exits(0).stdout
	m.write("rules-shipped.yml", rules)
	// The same without the waiting.
	quick := regexp.MustCompile(`(?m)^( +(?:keep_firing_)?for:) .*$`).ReplaceAllString(rules, "$1 0s")
	m.write("rules.yml", strings.Replace(quick, "> 86400", "> 0", 1))
	return m
}

func (m *monitored) start() {
	m.t.Helper()
	m.deployed()
	m.must(lab.Control, `mkdir -p /root/lab-cache && echo 'StoreDir: /nix/store' >/root/lab-cache/nix-cache-info && cat >>fleet.toml <<'END'

[ssh]
connect-timeout = "2s"

[metrics]
pushgateway = "http://dex5550:19091"

[cache]
url = "file:///root/lab-cache"
public-key = "lab:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
END`)
	m.t.Cleanup(func() {
		m.must(lab.Control, "systemctl stop lab-exporter; rm -rf /root/lab-cache")
		m.must(monitoringHost, "systemctl stop lab-prometheus lab-alertmanager lab-pushgateway; rm -rf "+monitoringDir)
	})
	m.must(lab.Control, "systemd-run --quiet --collect --unit=lab-exporter --setenv=HOME=/root --working-directory="+lab.FleetDir+" flotilla metrics -serve=0.0.0.0:9479")
	m.unit("alertmanager", "prometheus-alertmanager --config.file=alertmanager.yml --storage.path=alertmanager --cluster.listen-address= --web.listen-address=127.0.0.1:19093")
	m.unit("pushgateway", "prometheus-pushgateway --web.listen-address=:19091")
	m.unit("prometheus", "prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:19090")
	m.must(monitoringHost, "bash -c 'until (: </dev/tcp/127.0.0.1/19093) 2>/dev/null; do systemctl is-active --quiet lab-alertmanager || exit; sleep 0.1; done'")
	m.until("Prometheus scrapes", "up", `up{instance="control:9479", job="flotilla"} => 1`, `job="pushgateway"} => 1`)
}

func (m *monitored) unit(name, line string) {
	m.t.Helper()
	m.must(monitoringHost, "systemd-run --quiet --collect --unit=lab-"+name+" --working-directory="+monitoringDir+" "+line)
}

func (m *monitored) write(name, text string) {
	m.t.Helper()
	_, err := m.Exec(m.t.Context(), lab.ExecOptions{Host: monitoringHost, Stdin: strings.NewReader(text),
		Argv: []string{"/bin/sh", "-c", "cat >" + monitoringDir + "/" + name}})
	m.fault("write "+name, err)
}

// promtool runs it in the directory of the monitoring host.
func (m *monitored) promtool(args ...string) outcome {
	m.t.Helper()
	quoted := "cd " + monitoringDir + " && promtool"
	for _, a := range args {
		quoted += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return m.runOn(monitoringHost, quoted)
}

// until waits until Prometheus answers an expression with all these texts; a text
// that begins with "!" must be gone.
func (m *monitored) until(what, expr string, texts ...string) {
	m.t.Helper()
	o := outcome{}
	const tries = 300
	for range tries {
		o = m.promtool("query", "instant", "http://127.0.0.1:19090", expr)
		good := o.code == 0
		for _, text := range texts {
			wanted, gone := strings.CutPrefix(text, "!")
			good = good && strings.Contains(o.stdout, wanted) != gone
		}
		if good {
			return
		}
		m.must(monitoringHost, "sleep 0.2")
	}
	m.t.Fatalf("%s: never; last answer:\n%s%s", what, o.stdout, o.stderr)
}

// alert waits until an alert fires for what has a label, here and at the Alertmanager,
// or until it no longer does.
func (m *monitored) alert(name, label string, fires bool) {
	m.t.Helper()
	expr := fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing", %s}`, name, label)
	if !fires {
		m.until(name+" resolves", "absent("+expr+")", "=> 1")
		return
	}
	m.until(name+" fires", expr, name)
	m.must(monitoringHost, "bash "+monitoringDir+"/alertmanager-has "+name)
}

// A real Prometheus takes the shipped rules and passes their tests.
func TestRulesOfAlerts(t *testing.T) {
	m := newMonitored(t)
	m.must(monitoringHost, "cd "+monitoringDir+" && mv rules-shipped.yml rules.yml")
	args := []string{"test", "rules"}
	files, err := filepath.Glob("../metrics/testdata/rules*_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m.write(filepath.Base(f), string(text))
		args = append(args, filepath.Base(f))
	}
	m.promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yml").exits(0).says("SUCCESS")
	if o := m.promtool(args...).exits(0); strings.Count(o.stdout, "SUCCESS") != len(files) || len(files) == 0 {
		t.Errorf("%d files:\n%s", len(files), o.stdout)
	}
}

// The monitoring host has it all: the dashboard shows something in every panel, alerts
// fire and resolve, and nothing that is wrong with it keeps anything from being
// deployed.
func TestMonitoring(t *testing.T) {
	m := newMonitored(t)
	m.start()

	// Counters begin to be seen, then move.
	m.run("flotilla testAllParallel").exits(0)
	m.run("flotilla deployAllParallel -yes").exits(0)
	m.until("the Pushgateway's is scraped", `flotilla_deployments_total{job="flotilla", instance="control"}`, `host="razer"`)
	m.set("p510", `environment.etc.motd.text = "measured";`)
	m.run("flotilla testAllParallel").exits(0)
	m.run("flotilla quickDeploy p510").exits(0)
	m.until("the deployment is told", `increase(flotilla_deployments_total{job="flotilla", instance="control", host="p510", outcome=~"switched.*"}[1m]) > 0`, "p510")
	m.dashboard()

	// The host is not as the flake wants, and then it is.
	m.set("razer", `environment.etc.motd.text = "drifted";`)
	m.alert("FlotillaHostDrifted", `host="razer"`, true)
	m.run("flotilla quickDeploy razer").exits(0)
	m.alert("FlotillaHostDrifted", `host="razer"`, false)

	m.set("p510", "lab.failActivation = true;")
	m.run("flotilla quickDeploy p510").exits(4)
	m.alert("FlotillaDeploymentFailed", `host="p510", outcome="rolled-back"`, true)
	m.must(lab.Control, "git checkout --quiet hosts/p510")
	m.run("flotilla quickDeploy p510").exits(0)
	m.alert("FlotillaDeploymentFailed", `host="p510"`, false)

	m.fault("p620's link is cut", m.Cut(t.Context(), "p620"))
	t.Cleanup(func() { m.fault("p620's link is restored", m.Restore(context.Background(), "p620")) })
	m.alert("FlotillaHostDown", `host="p620"`, true)
	m.fault("p620's link is restored", m.Restore(t.Context(), "p620"))
	m.alert("FlotillaHostDown", `host="p620"`, false)
	m.run("journalctl --no-pager -u lab-exporter").exits(0).says("p620: survey: ", "p620: no error any more")

	m.must(lab.Control, "mv /root/lab-cache /root/lab-cache.gone")
	m.alert("FlotillaCacheDown", `cache="file:///root/lab-cache"`, true)
	m.must(lab.Control, "mv /root/lab-cache.gone /root/lab-cache")
	m.alert("FlotillaCacheDown", `cache="file:///root/lab-cache"`, false)

	m.must(lab.Control, "systemctl stop lab-exporter")
	m.alert("FlotillaExporterDown", `job="flotilla"`, true)

	// Nobody listens any more; then the whole host is gone.
	m.must(monitoringHost, "systemctl stop lab-pushgateway")
	m.set("p510", `environment.etc.motd.text = "not told";`)
	m.run("flotilla quickDeploy p510").exits(0).says("p510: switched", "metrics are not told of this run: http://dex5550:19091: ", "refused")
	m.fault("dex5550's link is cut", m.Cut(t.Context(), monitoringHost))
	t.Cleanup(func() { m.fault("dex5550's link is restored", m.Restore(context.Background(), monitoringHost)) })
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged", "metrics are not told of this run: http://dex5550:19091: ")
}

// dashboard asks every query of the shipped dashboard as Grafana would, and wants a
// number.
func (m *monitored) dashboard() {
	m.t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct {
				Expr    string
				Instant bool
			}
		}
		Templating struct {
			List []struct{ Definition string }
		}
	}
	if err := json.Unmarshal([]byte(m.run("flotilla metrics -dashboard").exits(0).stdout), &d); err != nil {
		m.t.Fatal(err)
	}
	queries := 0
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries++
			expr := strings.NewReplacer("$host", ".+", "$__rate_interval", "1m").Replace(target.Expr)
			args := []string{"query", "range", "-o", "json", "--start=" + strconv.FormatInt(time.Now().Add(-time.Minute).Unix(), 10), "--step=5s", "http://127.0.0.1:19090", expr}
			if target.Instant {
				args = []string{"query", "instant", "-o", "json", "http://127.0.0.1:19090", expr}
			}
			if o := m.promtool(args...).exits(0); !someNumber(m.t, o.stdout) {
				m.t.Errorf("the panel %q is empty: %s\n%s", p.Title, expr, o.stdout)
			}
		}
	}
	if queries < 20 {
		m.t.Errorf("%d queries", queries)
	}
	for _, v := range d.Templating.List {
		if selector, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			selector = strings.TrimSuffix(selector, ", host)")
			if o := m.promtool("query", "instant", "http://127.0.0.1:19090", "count by (host) ("+selector+")").exits(0); strings.Count(o.stdout, "host=") != len(lab.Hosts()) {
				m.t.Errorf("hosts to choose from:\n%s", o.stdout)
			}
		}
	}
}

// someNumber reports whether a result of Prometheus's has a value that is one.
func someNumber(t *testing.T, text string) bool {
	t.Helper()
	var series []struct {
		Value  []any
		Values [][]any
	}
	if err := json.Unmarshal([]byte(text), &series); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, s := range series {
		for _, v := range append(s.Values, s.Value) {
			if len(v) != 2 {
				continue
			}
			if n, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
				return true
			}
		}
	}
	return false
}
