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
