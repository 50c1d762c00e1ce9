package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// classic is the format that every Grafana takes, and its file provisioning.
//
//lint:ignore SA1019 the newer format is not taken by Grafana 11 and older
type classic = dashboard.Dashboard

// grafana reads the dashboard as Grafana's own schema has it: nothing required is
// missing, nothing is unknown, and every value is of its type.
func grafana(t *testing.T) classic {
	t.Helper()
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(statetimeline.VariantConfig())
	known.RegisterPanelcfgVariant(table.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	var d classic
	// It returns an empty list of errors as an error, and nothing else then.
	if err := d.UnmarshalJSONStrict([]byte(Dashboard)); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(Dashboard), &d); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	return d
}

// Panels lie beside each other, ask the data source that the user chooses, and
// nothing that is not told.
func TestDashboard(t *testing.T) {
	var panels []*dashboard.Panel
	row := false
	for _, p := range grafana(t).Panels {
		if p.RowPanel != nil {
			row = true
			continue
		}
		panels = append(panels, p.Panel)
	}
	if !row || len(panels) < 10 {
		t.Fatalf("%d panels", len(panels))
	}
	told := metricNames(text(t, full()))
	ids := map[uint32]bool{}
	for i, p := range panels {
		name := *p.Title
		if p.Id == nil || ids[*p.Id] || p.Description == nil || p.Datasource == nil || *p.Datasource.Uid != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: %+v", name, p)
			continue
		}
		ids[*p.Id] = true
		at := p.GridPos
		if at.X+at.W > 24 {
			t.Errorf("%s is too wide", name)
		}
		for _, other := range panels[:i] {
			if o := other.GridPos; at.X < o.X+o.W && o.X < at.X+at.W && at.Y < o.Y+o.H && o.Y < at.Y+at.H {
				t.Errorf("%s lies on %s", name, *other.Title)
			}
		}
		for _, target := range p.Targets {
			q, ok := target.(*prometheus.Dataquery)
			if !ok || *q.Datasource.Uid != "${datasource}" {
				t.Errorf("%s: %+v", name, target)
				continue
			}
			asksOnly(t, name, q.Expr, told)
		}
	}
}

// metricNames are the names of samples in Prometheus's text format.
func metricNames(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^(flotilla_\w+)`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func asksOnly(t *testing.T, name, expr string, told []string) {
	t.Helper()
	for _, metric := range regexp.MustCompile(`flotilla_\w+`).FindAllString(expr, -1) {
		if !slices.Contains(told, metric) {
			t.Errorf("%s asks for %s, which is not told", name, metric)
		}
	}
}

// Every rule asks only for what is told, and has a test in which it fires, and one
// after that in which it does not. promtool runs them in the lab.
func TestRulesHaveTests(t *testing.T) {
	asksOnly(t, "a rule", Rules, metricNames(text(t, full())))
	files, err := filepath.Glob(filepath.Join("testdata", "rules*_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	tests := ""
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests += string(b)
	}
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)`).FindAllStringSubmatch(Rules, -1)
	if len(alerts) < 8 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, m := range alerts {
		fires, resolves := false, false
		for _, c := range strings.Split(tests, "- alertname: ")[1:] {
			if name, _, _ := strings.Cut(c, "\n"); name != m[1] {
				continue
			}
			expected := strings.Contains(c, "exp_alerts:")
			resolves = resolves || fires && !expected
			fires = fires || expected
		}
		if !fires || !resolves {
			t.Errorf("%s: a test in which it fires: %t; a later one in which it does not: %t", m[1], fires, resolves)
		}
	}
}
