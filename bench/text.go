package bench

import (
	"fmt"
	"io"
	"strconv"

	"golang.org/x/perf/benchfmt"
)

// WriteText writes records in the Go benchmark format, which benchstat
// (golang.org/x/perf/cmd/benchstat) and others read: a line for each sample, and
// before them where it was taken. Units are sec/op, cpu-sec/op and peak-B/op.
func WriteText(w io.Writer, records ...Record) error {
	out := benchfmt.NewWriter(w)
	for _, r := range records {
		e := r.Environment
		var config []benchfmt.Config
		for _, c := range [][2]string{
			{"pkg", "flotilla"}, {"goos", e.OS}, {"goarch", e.Arch}, {"cpu", e.CPU}, {"cores", strconv.Itoa(e.Cores)},
			{"machine", e.Machine}, {"kernel", e.Kernel}, {"go", e.Go}, {"nix", e.Nix}, {"nix-store", e.Store},
			{"flake-revision", e.Revision}, {"flake-dirty", strconv.FormatBool(e.Dirty)},
			{"load", fmt.Sprint(e.Load)}, {"date", r.Time.Format("2006-01-02T15:04:05Z07:00")},
		} {
			if c[1] != "" {
				config = append(config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
			}
		}
		for _, s := range r.Series {
			for i, seconds := range s.Seconds {
				line := &benchfmt.Result{
					Config: config, Name: benchfmt.Name("Host/host=" + r.Host + "/phase=" + string(s.Phase)), Iters: 1,
					Values: []benchfmt.Value{{Value: seconds, Unit: "sec/op"}},
				}
				if i < len(s.MaxRSS) {
					line.Values = append(line.Values, benchfmt.Value{Value: s.CPU[i], Unit: "cpu-sec/op"},
						benchfmt.Value{Value: float64(s.MaxRSS[i]), Unit: "peak-B/op"})
				}
				if err := out.Write(line); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
