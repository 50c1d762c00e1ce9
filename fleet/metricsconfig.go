package fleet

import (
	"net/url"
	"path/filepath"
	"strings"
)

// Metrics says whom to tell of runs. The zero value is nobody.
type Metrics struct {
	// Pushgateway is the http or https address of a Prometheus Pushgateway; empty
	// means none. It may hold a user and a password.
	Pushgateway string
	// Textfile is the absolute path of a file for node-exporter's textfile collector,
	// whose name ends in .prom; empty means none.
	Textfile string
}

// fileMetrics is [metrics] as it is written.
type fileMetrics struct {
	Pushgateway string `toml:"pushgateway"`
	Textfile    string `toml:"textfile"`
}

// metrics is what [metrics] says, for an inventory in dir.
func (f fileMetrics) metrics(r *reader, dir string) Metrics {
	m := Metrics(f)
	if u, err := url.Parse(f.Pushgateway); r.keys.line("metrics", "pushgateway") > 0 &&
		(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || hasControl(f.Pushgateway)) {
		// Not repeated, for it may hold a password.
		r.bad("metrics.pushgateway is not the address of a Pushgateway", `such as "http://dex5550:9091"`, "metrics", "pushgateway")
	}
	if r.keys.line("metrics", "textfile") > 0 {
		if !strings.HasSuffix(f.Textfile, ".prom") || hasControl(f.Textfile) {
			r.bad("metrics.textfile does not end in .prom, which node-exporter's collector wants", `such as "/var/lib/prometheus/node-exporter/flotilla.prom"`, "metrics", "textfile")
		}
		if !filepath.IsAbs(m.Textfile) {
			m.Textfile = filepath.Join(dir, m.Textfile)
		}
	}
	return m
}
