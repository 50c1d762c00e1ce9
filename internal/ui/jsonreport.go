package ui

import "github.com/nixflotilla/flotilla/fleet"

type jsonReport struct {
	Started   string `json:"started"`
	ExitCode  int    `json:"exit_code"`
	Cancelled bool   `json:"cancelled"`
	Planned   bool   `json:"planned,omitempty"`
	Summary   string `json:"summary"`

	Builders []jsonShare `json:"builders,omitempty"`
	Hosts    []jsonHost  `json:"hosts"`
}

type jsonHost struct {
	Host       string          `json:"host"`
	Outcome    fleet.Outcome   `json:"outcome"`
	OK         bool            `json:"ok"`
	Reason     string          `json:"reason,omitempty"`
	Seconds    float64         `json:"seconds"`
	Live       string          `json:"live,omitempty"`
	Wanted     string          `json:"wanted,omitempty"`
	BuiltOn    string          `json:"built_on,omitempty"`
	CopiedFrom string          `json:"copied_from,omitempty"`
	RebootFor  []string        `json:"reboot_for,omitempty"`
	RoundTrip  float64         `json:"round_trip_seconds,omitempty"`
	Handshake  float64         `json:"handshake_seconds,omitempty"`
	Evaluation *jsonVerdict    `json:"evaluation,omitempty"`
	Health     []jsonHealth    `json:"health,omitempty"`
	Steps      []jsonStep      `json:"steps,omitempty"`
	Build      *jsonBuild      `json:"build,omitempty"`
	Cache      *jsonCache      `json:"cache,omitempty"`
	NotPushed  string          `json:"not_pushed,omitempty"`
	Builders   []jsonShare     `json:"builders,omitempty"`
	Difference *jsonDifference `json:"difference,omitempty"`
	Change     *jsonChange     `json:"change,omitempty"`
	Status     *jsonStatus     `json:"status,omitempty"`
	Checks     []jsonHostCheck `json:"checks,omitempty"`
	Analysis   *jsonAnalysis   `json:"analysis,omitempty"`
	Error      *jsonError      `json:"error,omitempty"`

	Generation  *jsonGeneration    `json:"generation,omitempty"`
	Generations *[]*jsonGeneration `json:"generations,omitempty"`
}

type jsonHealth struct {
	Check        string  `json:"check"`
	OK           bool    `json:"ok"`
	FailedBefore bool    `json:"failed_before,omitempty"`
	Answer       string  `json:"answer"`
	Tries        int     `json:"tries"`
	Seconds      float64 `json:"seconds"`
}

type jsonChange struct {
	Affected bool   `json:"affected"`
	Was      string `json:"was,omitempty"`
	Is       string `json:"is,omitempty"`
}

type jsonVerdict struct {
	Avoided bool   `json:"avoided"`
	Reason  string `json:"reason"`
}

type jsonStep struct {
	Step    fleet.Step `json:"step"`
	Seconds float64    `json:"seconds"`
}

type jsonBuild struct {
	Derivations     int   `json:"derivations"`
	DownloadedPaths int   `json:"downloaded_paths"`
	DownloadedBytes int64 `json:"downloaded_bytes"`
}

type jsonCache struct {
	LackedPaths  int   `json:"lacked_paths"`
	LackedBytes  int64 `json:"lacked_bytes"`
	FetchedPaths int   `json:"fetched_paths"`
	FetchedBytes int64 `json:"fetched_bytes"`
}

// newJSONCache is nil if the cache was not asked.
func newJSONCache(c fleet.CacheUse) *jsonCache {
	if c == (fleet.CacheUse{}) {
		return nil
	}
	return &jsonCache{c.LackedPaths, c.LackedBytes, c.FetchedPaths, c.FetchedBytes}
}

type jsonShare struct {
	Builder     string `json:"builder,omitempty"`
	Derivations int    `json:"derivations"`
}

func newJSONShares(shares []fleet.BuilderShare) (out []jsonShare) {
	for _, s := range shares {
		out = append(out, jsonShare{plain(s.Builder), s.Derivations})
	}
	return out
}

type jsonDifference struct {
	OldBytes     int64           `json:"old_bytes"`
	NewBytes     int64           `json:"new_bytes"`
	Added        []jsonPackage   `json:"added"`
	Removed      []jsonPackage   `json:"removed"`
	Changed      []jsonPackage   `json:"changed"`
	Unknown      string          `json:"packages_unknown,omitempty"`
	Units        *jsonUnits      `json:"units,omitempty"`
	UnitsUnknown string          `json:"units_unknown,omitempty"`
	RebootFor    []string        `json:"reboot_for,omitempty"`
	Reboot       []jsonReboot    `json:"reboot,omitempty"`
	Inhibitors   []jsonInhibitor `json:"inhibitors,omitempty"`
	CopyPaths    int             `json:"copy_paths"`
	CopyBytes    int64           `json:"copy_bytes"`
	FreeBytes    *int64          `json:"free_bytes,omitempty"`
	NoRoom       bool            `json:"no_room,omitempty"`
	Held         string          `json:"held,omitempty"`
}

type jsonReboot struct {
	Part string `json:"part"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

type jsonInhibitor struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
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
	New     []string `json:"new,omitempty"`
}

func newJSONReport(r *fleet.Report) *jsonReport {
	out := &jsonReport{
		Started:  jsonTime(r.Started),
		ExitCode: r.ExitCode(), Cancelled: r.Cancelled, Planned: r.Planned, Summary: Summary(r), Builders: newJSONShares(r.Builders()), Hosts: []jsonHost{},
	}
	for _, res := range r.Results {
		h := jsonHost{
			Host: res.Host.Name, Outcome: res.Outcome, OK: res.Outcome.OK(), Reason: harmless(res.Reason),
			Seconds: seconds(res.Duration), Live: string(res.Live), Wanted: string(res.Wanted), BuiltOn: res.BuiltOn, CopiedFrom: res.CopiedFrom, Builders: newJSONShares(res.Builders),
			RebootFor: allHarmless(res.RebootFor), RoundTrip: seconds(res.RoundTrip), Handshake: seconds(res.Handshake),
			Difference: newJSONDifference(res.Difference), Status: newJSONStatus(res), Checks: newJSONHostChecks(res.Checks), Analysis: newJSONAnalysis(res.Analysis), Error: newJSONError(res.Err),
		}
		if res.Build != (fleet.BuildWork{}) {
			h.Build = &jsonBuild{res.Build.Derivations, res.Build.Paths, res.Build.Bytes}
		}
		h.Cache, h.NotPushed = newJSONCache(res.Cache), harmless(res.NotPushed)
		for _, c := range res.Health {
			h.Health = append(h.Health, jsonHealth{c.Check, c.OK, c.FailedBefore, plain(c.Answer), c.Tries, seconds(c.Duration)})
		}
		if g := res.Generation; g != nil {
			h.Generation = newJSONGeneration(*g)
		}
		h.Generations = newJSONGenerations(res.Generations)
		if c := res.Change; c != nil {
			h.Change = &jsonChange{c.Affected, string(c.Was), string(c.Is)}
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
		Unknown: harmless(d.PackagesUnknown), CopyPaths: d.Copy.Paths, CopyBytes: d.Copy.Bytes, NoRoom: d.NoRoom(), Held: harmless(d.Held),
	}
	for _, p := range d.Reboot {
		out.Reboot = append(out.Reboot, jsonReboot{plain(p.Part), plain(p.Old), plain(p.New)})
	}
	for _, in := range d.Inhibitors {
		out.Inhibitors = append(out.Inhibitors, jsonInhibitor{plain(in.Name), plain(in.Old), plain(in.New)})
	}
	if d.FreeBytes >= 0 {
		out.FreeBytes = &d.FreeBytes
	}
	if d.UnitsUnknown == "" {
		out.Units = &jsonUnits{
			Stop: allHarmless(d.Units.Stop), Restart: allHarmless(d.Units.Restart), Reload: allHarmless(d.Units.Reload),
			Start: allHarmless(d.Units.Start), Keep: allHarmless(d.Units.Keep), New: allHarmless(d.Units.New),
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
