package bench

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Confidence is the level of all intervals and verdicts.
const Confidence = 0.95

// The smallest relative changes of a median that count. A smaller one may be real, but
// a machine is never quite the same: how much two runs differ with nothing changed is
// in neither's samples, and so in no test of them.
const (
	// LeastChange is that between two runs, as long as it is not known how much the
	// phase varies from run to run; see Scatter. It is what separates a slowdown of
	// 20 % best from the drift of an idle machine: TestRunsWithDrift.
	LeastChange = 0.13
	// LeastKnown is the smallest where that is known.
	LeastKnown = 0.05
	// LeastMachine is that of the phase Control which makes others' changes unclear.
	LeastMachine = 0.10
	// LeastInterleaved is that between samples of the same rounds, which had the
	// same machine.
	LeastInterleaved = 0.03
)

// Summary describes a sample.
type Summary struct {
	// N is how many values there are.
	N int
	// Median is the median; Low and High bound its confidence interval, and are 0
	// if there are too few values for one.
	Median, Low, High float64
	// Warnings are benchmath's, such as of too few values; nil if there are none.
	Warnings []string
}

// Summarize describes values in any order, at Confidence. Without values it is
// the zero value.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	s := benchmath.AssumeNothing.Summary(sample(values, 1), Confidence)
	sum := Summary{N: len(values), Median: s.Center, Warnings: texts(s.Warnings)}
	if !math.IsInf(s.Lo, 0) && !math.IsInf(s.Hi, 0) {
		sum.Low, sum.High = s.Lo, s.Hi
	}
	return sum
}

// Verdict says how a sample compares with an earlier one.
type Verdict string

// The verdicts.
const (
	// Faster and Slower: the difference is not chance, and at least
	// Comparison.Least.
	Faster Verdict = "faster"
	Slower Verdict = "slower"
	// NoDifference: it may be chance, or too small to count.
	NoDifference Verdict = "no difference"
	// TooFew: so few values could not show any difference.
	TooFew Verdict = "too few runs"
	// Unclear: there is a difference, but the machine was busy, or itself faster or
	// slower by then as well; see Record.Rows.
	Unclear Verdict = "unclear"
)

// Comparison compares a sample of times with an earlier one.
type Comparison struct {
	// Verdict is what came of it.
	Verdict Verdict
	// Change is that of the median, relative to the earlier one: 0.2 is 20 % more.
	Change float64
	// Least is how large a change must be to count: 0.05 is one to 1.05 times as
	// much, or as little.
	Least float64
	// P is how likely such samples, or ones that differ more, are if nothing has
	// changed (Mann-Whitney U test); below Alpha it is not held for chance.
	P, Alpha float64
	// Machine is the change of the phase Control that makes this one Unclear; else 0.
	Machine float64
	// Warnings are benchmath's; nil if there are none.
	Warnings []string
}

// Compare compares two samples, each in any order. Of how many comparisons this
// is one is said by family: at Confidence none of them all takes chance for a
// difference (Bonferroni's correction). A change counts from least on, 0 or more.
func Compare(earlier, later []float64, family int, least float64) Comparison {
	c := Comparison{Verdict: NoDifference, P: 1, Least: least, Alpha: (1 - Confidence) / float64(max(1, family))}
	if len(earlier) == 0 || len(later) == 0 {
		c.Verdict = TooFew
		return c
	}
	before, after := Summarize(earlier).Median, Summarize(later).Median
	if before > 0 {
		c.Change = after/before - 1
	}
	if slices.Min(earlier) == slices.Max(later) && slices.Max(earlier) == slices.Min(later) {
		return c // all values are equal, for which there is no test
	}
	t := benchmath.AssumeNothing.Compare(sample(earlier, family), sample(later, family))
	c.P, c.Warnings = t.P, texts(t.Warnings)
	switch {
	case len(t.Warnings) > 0:
		c.Verdict = TooFew
	case t.P >= c.Alpha || max(before, after) < (1+least)*min(before, after):
	case after < before:
		c.Verdict = Faster
	default:
		c.Verdict = Slower
	}
	return c
}

// String is the verdict as a table has it: "12 % slower".
func (c Comparison) String() string {
	switch c.Verdict {
	case Faster, Slower:
		return fmt.Sprintf("%.0f %% %s", 100*math.Abs(c.Change), c.Verdict)
	}
	return string(c.Verdict)
}

// sample is a copy: benchmath sorts what it is given.
func sample(values []float64, family int) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.Thresholds{CompareAlpha: (1 - Confidence) / float64(max(1, family))})
}

func texts(errs []error) []string {
	var out []string
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}
