package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// noisy are n times around a median, with the long tail that times have.
func noisy(r *rand.Rand, n int, median, spread float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = median * math.Exp(spread*r.NormFloat64())
	}
	return values
}

// Runs with nothing changed between them are told apart no more often than is
// promised, over all phases of a run together; a slowdown of a fifth is seen.
func TestVerdicts(t *testing.T) {
	const trials, phases, n, spread = 2000, 7, 10, 0.05
	r := rand.New(rand.NewPCG(1, 2))
	alarms, found := 0, 0
	for range trials {
		alarm := false
		for range phases {
			c := Compare(noisy(r, n, 0.3, spread), noisy(r, n, 0.3, spread), phases, LeastChange)
			alarm = alarm || c.Verdict != NoDifference
		}
		if alarm {
			alarms++
		}
		switch c := Compare(noisy(r, n, 0.3, spread), noisy(r, n, 0.36, spread), phases, LeastChange); c.Verdict {
		case Slower:
			found++
		case Faster, TooFew:
			t.Fatalf("a slowdown is %s", c.Verdict)
		}
	}
	if rate := float64(alarms) / trials; rate > 1-Confidence {
		t.Errorf("%.1f %% of the runs with nothing changed are told apart", 100*rate)
	}
	if rate := float64(found) / trials; rate < 0.99 {
		t.Errorf("a slowdown of 20 %% is seen in %.1f %% of the runs", 100*rate)
	}
}

func TestVerdictTexts(t *testing.T) {
	ten := []float64{1.00, 1.01, 1.02, 1.03, 1.04, 0.99, 0.98, 0.97, 0.96, 1.00}
	times := func(f float64) []float64 {
		out := slices.Clone(ten)
		for i := range out {
			out[i] *= f
		}
		return out
	}
	for _, c := range []struct {
		name           string
		earlier, later []float64
		want           string
		warning        bool
	}{
		{"the same", ten, ten, "no difference", false},
		{"a fifth more", ten, times(1.2), "20 % slower", false},
		{"a fifth less", ten, times(0.8), "20 % faster", false},
		{"sure, but small", ten, times(1.049), "no difference", false},
		{"all equal", []float64{1, 1, 1, 1, 1, 1}, []float64{1, 1, 1, 1, 1, 1}, "no difference", false},
		{"too few", ten[:3], times(2)[:3], "too few runs", true},
		{"none", nil, ten, "too few runs", false},
	} {
		got := Compare(c.earlier, c.later, 7, LeastChange)
		if got.String() != c.want || c.warning != (len(got.Warnings) > 0) {
			t.Errorf("%s: %q, warnings %q, p %v", c.name, got, got.Warnings, got.P)
		}
	}
	if w := Compare(ten[:3], times(2)[:3], 7, LeastChange).Warnings; len(w) != 1 || !strings.HasPrefix(w[0], "need >= 6 samples") {
		t.Errorf("warnings %q", w)
	}
}

func TestSummarize(t *testing.T) {
	if s := Summarize([]float64{3, 1, 2}); s.Median != 2 || s.N != 3 || s.Low != 0 || s.High != 0 || len(s.Warnings) != 1 {
		t.Errorf("%+v", s)
	}
	if s := Summarize([]float64{6, 1, 2, 4, 3, 5}); s.Median != 3.5 || s.Low != 1 || s.High != 6 || s.Warnings != nil {
		t.Errorf("%+v", s)
	}
	if s := Summarize(nil); s.N != 0 || s.Median != 0 {
		t.Errorf("%+v", s)
	}
}

// The order of the values means nothing, they are not changed, and neither does
// the unit mean anything; what is slower one way is faster the other.
func TestStatisticsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Float64Range(0.001, 10), 1, 15)
		a, b := list.Draw(t, "a"), list.Draw(t, "b")
		shuffled := rapid.Permutation(a).Draw(t, "order")
		before := slices.Clone(shuffled)
		one, two := Compare(a, b, 7, LeastChange), Compare(shuffled, b, 7, LeastChange)
		if one.String() != two.String() || one.P != two.P || one.Change != two.Change {
			t.Fatalf("%+v, in another order %+v", one, two)
		}
		if !slices.Equal(before, shuffled) {
			t.Fatal("the values were changed")
		}
		s := Summarize(a)
		if s.High > 0 && (s.Low > s.Median || s.Median > s.High) {
			t.Fatalf("%+v", s)
		}
		back := Compare(b, a, 7, LeastChange)
		if one.Verdict == Slower && back.Verdict == Slower || one.Verdict == Faster && back.Verdict == Faster {
			t.Fatalf("%s, and %s the other way", one.Verdict, back.Verdict)
		}
	})
}
