package bench

import (
	"slices"
	"testing"
)

func record(machine string, phases map[Phase][]float64) Record {
	r := Record{V: 1, Environment: Environment{Machine: machine, Cores: 2, Load: 1.5}}
	for _, p := range []Phase{Control, Survey, Run} {
		if v, ok := phases[p]; ok {
			r.Series = append(r.Series, Series{Phase: p, Seconds: v})
		}
	}
	return r
}

func around(median float64) []float64 {
	out := []float64{0.97, 0.98, 0.99, 0.995, 1, 1, 1.005, 1.01, 1.02, 1.03}
	for i := range out {
		out[i] *= median
	}
	return out
}

func verdicts(rows []Row) (all []string) {
	for _, r := range rows {
		for _, c := range []*Comparison{r.Last, r.Best} {
			if c == nil {
				all = append(all, "-")
				continue
			}
			all = append(all, c.String())
		}
	}
	return all
}

// The last and the best are of the same machine and phase; what is slower
// together with the machine is unclear, what is faster in spite of it is not.
func TestRows(t *testing.T) {
	now := record("m", map[Phase][]float64{Control: around(1), Survey: around(1.2), Run: around(5)})
	for _, c := range []struct {
		name    string
		earlier []Record
		want    []string
	}{
		{"first", nil, []string{"-", "-", "-", "-", "-", "-"}},
		{"another machine", []Record{record("other", map[Phase][]float64{Survey: around(1)})}, []string{"-", "-", "-", "-", "-", "-"}},
		{"last is not best", []Record{
			record("m", map[Phase][]float64{Control: around(1), Survey: around(1)}),
			record("m", map[Phase][]float64{Control: around(1), Survey: around(1.21)}),
		}, []string{"no difference", "no difference", "no difference", "20 % slower", "-", "-"}},
		{"the machine was faster", []Record{
			record("m", map[Phase][]float64{Control: around(0.8), Survey: around(1), Run: around(10)}),
		}, []string{"25 % slower", "25 % slower", "unclear", "unclear", "50 % faster", "50 % faster"}},
		{"without control", []Record{record("m", map[Phase][]float64{Survey: around(1)})},
			[]string{"-", "-", "20 % slower", "20 % slower", "-", "-"}},
	} {
		if got := verdicts(now.Rows(c.earlier)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	was := record("m", map[Phase][]float64{Control: around(1), Survey: around(1), Run: around(5)})
	was.Environment.Load = 2.1
	want := []string{"no difference", "no difference", "unclear", "unclear", "no difference", "no difference"}
	if got := verdicts(now.Rows([]Record{was})); !slices.Equal(got, want) {
		t.Errorf("busy then: %q, want %q", got, want)
	}
	now.Environment.Load, was.Environment.Load = was.Environment.Load, 0
	if got := verdicts(now.Rows([]Record{was})); !slices.Equal(got, want) {
		t.Errorf("busy now: %q, want %q", got, want)
	}
}

// The scatter is of pairs with nothing changed, on an idle machine, and one real
// change among them does not spoil it; a phase that is steady comes to see less.
func TestScatter(t *testing.T) {
	runs := func(medians ...float64) (all []Record) {
		for _, m := range medians {
			all = append(all, record("m", map[Phase][]float64{Control: around(1), Survey: around(m)}))
		}
		return all
	}
	steady := runs(1, 1.01, 1, 1.01, 1, 1.01, 1, 1.01, 1)
	if got := Scatter(Survey, steady); got < 0.014 || got > 0.016 {
		t.Errorf("scatter %v", got)
	}
	if got := Scatter(Survey, append(steady, runs(2)...)); got < 0.014 || got > 0.016 {
		t.Errorf("with a real change: %v", got)
	}
	if got := Scatter(Survey, steady[:8]); got != 0 {
		t.Errorf("of 7 pairs: %v", got)
	}
	if got := Scatter(Run, steady); got != 0 {
		t.Errorf("of a phase that is in none: %v", got)
	}
	for name, change := range map[string]func(*Record){
		"busy":           func(r *Record) { r.Environment.Load = 9 },
		"another system": func(r *Record) { r.Toplevel = "other" },
		"another Nix":    func(r *Record) { r.Environment.Nix = "2.99" },
		"another kernel": func(r *Record) { r.Environment.Kernel = "9" },
	} {
		other := slices.Clone(steady)
		change(&other[4])
		if got := Scatter(Survey, other); got != 0 {
			t.Errorf("%s: two of 8 pairs are no pairs of the same, and it is %v", name, got)
		}
	}
	for _, c := range []struct {
		now     float64
		earlier []Record
		want    string
	}{
		{1.08, steady, "8 % slower"}, // against 5.2 %
		{1.08, steady[:3], "no difference"},
		{1.25, runs(1, 1.2, 1, 1.2, 1, 1.2, 1, 1.2, 1), "no difference"},
	} {
		if got := runs(c.now)[0].Rows(c.earlier)[1].Last.String(); got != c.want {
			t.Errorf("%v after %d runs: %s, want %s", c.now, len(c.earlier), got, c.want)
		}
	}
}
