package ui

import "github.com/nixflotilla/flotilla/fleet"

type jsonReport struct {
	Started   string     `json:"started"`
	ExitCode  int        `json:"exit_code"`
	Cancelled bool       `json:"cancelled"`
	Summary   string     `json:"summary"`
	Hosts     []jsonHost `json:"hosts"`
}

type jsonHost struct {
	Host       string          `json:"host"`
	Outcome    fleet.Outcome   `json:"outcome"`
	OK         bool            `json:"ok"`
	Reason     string          `json:"reason,omitempty"`
	Seconds    float64         `json:"seconds"`
	Live       string          `json:"live,omitempty"`
	Wanted     string          `json:"wanted,omitempty"`
	RebootFor  []string        `json:"reboot_for,omitempty"`
	RoundTrip  float64         `json:"round_trip_seconds,omitempty"`
	Handshake  float64         `json:"handshake_seconds,omitempty"`
	Evaluation *jsonVerdict    `json:"evaluation,omitempty"`
	Steps      []jsonStep      `json:"steps,omitempty"`
	Difference *jsonDifference `json:"difference,omitempty"`
	Error      *jsonError      `json:"error,omitempty"`
}

type jsonVerdict struct {
	Avoided bool   `json:"avoided"`
	Reason  string `json:"reason"`
}

type jsonStep struct {
	Step    fleet.Step `json:"step"`
	Seconds float64    `json:"seconds"`
}

type jsonDifference struct {
	OldBytes     int64         `json:"old_bytes"`
	NewBytes     int64         `json:"new_bytes"`
	Added        []jsonPackage `json:"added"`
	Removed      []jsonPackage `json:"removed"`
	Changed      []jsonPackage `json:"changed"`
	Units        *jsonUnits    `json:"units,omitempty"`
	UnitsUnknown string        `json:"units_unknown,omitempty"`
	RebootFor    []string      `json:"reboot_for,omitempty"`
}

type jsonPackage struct {
	Name        string   `json:"name"`
	OldVersions []string `json:"old_versions,omitempty"`
	NewVersions []string `json:"new_versions,omitempty"`
	OldBytes    int64    `json:"old_bytes"`
	NewBytes    int64    `json:"new_bytes"`
}

type jsonUnits struct {
	Stop    []string `json:"stop,omitempty"`
	Restart []string `json:"restart,omitempty"`
	Reload  []string `json:"reload,omitempty"`
	Start   []string `json:"start,omitempty"`
	Keep    []string `json:"keep,omitempty"`
}

func newJSONReport(r *fleet.Report) *jsonReport {
	out := &jsonReport{
		Started:  jsonTime(r.Started),
		ExitCode: r.ExitCode(), Cancelled: r.Cancelled, Summary: Summary(r), Hosts: []jsonHost{},
	}
	for _, res := range r.Results {
		h := jsonHost{
			Host: res.Host.Name, Outcome: res.Outcome, OK: res.Outcome.OK(), Reason: harmless(res.Reason),
			Seconds: seconds(res.Duration), Live: string(res.Live), Wanted: string(res.Wanted),
			RebootFor: allHarmless(res.RebootFor), RoundTrip: seconds(res.RoundTrip), Handshake: seconds(res.Handshake),
			Difference: newJSONDifference(res.Difference), Error: newJSONError(res.Err),
		}
		if v := res.Evaluation; v != (fleet.Verdict{}) {
			h.Evaluation = &jsonVerdict{v.Avoided, harmless(v.Reason)}
		}
		for _, s := range res.Steps {
			h.Steps = append(h.Steps, jsonStep{s.Step, seconds(s.Duration)})
		}
		out.Hosts = append(out.Hosts, h)
	}
	return out
}

// newJSONDifference is nil for nil.
func newJSONDifference(d *fleet.Difference) *jsonDifference {
	if d == nil {
		return nil
	}
	out := &jsonDifference{
		OldBytes: d.Packages.OldSize, NewBytes: d.Packages.NewSize,
		Added: newJSONPackages(d.Packages.Added), Removed: newJSONPackages(d.Packages.Removed),
		Changed: newJSONPackages(d.Packages.Changed), UnitsUnknown: harmless(d.UnitsUnknown), RebootFor: allHarmless(d.RebootFor),
	}
	if d.UnitsUnknown == "" {
		out.Units = &jsonUnits{
			Stop: allHarmless(d.Units.Stop), Restart: allHarmless(d.Units.Restart), Reload: allHarmless(d.Units.Reload),
			Start: allHarmless(d.Units.Start), Keep: allHarmless(d.Units.Keep),
		}
	}
	return out
}

func newJSONPackages(list []fleet.PackageChange) []jsonPackage {
	out := []jsonPackage{}
	for _, c := range list {
		out = append(out, jsonPackage{plain(c.Name), allHarmless(c.OldVersions), allHarmless(c.NewVersions), c.OldSize, c.NewSize})
	}
	return out
}
