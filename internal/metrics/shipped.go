package metrics

import _ "embed"

// Rules are alert rules for Prometheus, as a file for its rule_files.
//
//go:embed rules.yml
var Rules string

// Dashboard is a dashboard for Grafana, as a file for its provisioning or its import.
//
//go:embed dashboard.json
var Dashboard string
