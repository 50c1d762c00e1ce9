package peers

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/bench"
)

// Markdown is the result as docs/performance.md has it.
func (r Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Taken %s; %s; load %s before, %s at the end.\njust: %s\nnixos-rebuild: %s\n\n", r.Time.UTC().Format("2006-01-02 15:04 MST"), r.Nix, r.Load, r.LoadAfter, r.Just, r.Rebuild)
	if r.Real {
		b.WriteString("Each evaluation is one of a real NixOS of nixpkgs.\n\n")
	}
	b.WriteString("| | Flotilla | the recipe | ratio |\n|---|---|---|---|\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.Situation, took(row.OursTook), took(row.TheirsTook), ratio(row.Ratios))
	}
	return b.String()
}

func took(s bench.Summary) string {
	if s.High == 0 {
		return bench.Duration(s.Median)
	}
	return bench.Duration(s.Median) + " (" + bench.Duration(s.Low) + " to " + bench.Duration(s.High) + ")"
}

func ratio(s bench.Summary) string {
	switch {
	case s.High == 0 && s.Median >= 100:
		return fmt.Sprintf("%.0f", s.Median) // and not 1e+02
	case s.High == 0:
		return fmt.Sprintf("%.2g", s.Median)
	}
	return fmt.Sprintf("%.3g (%.3g to %.3g)", s.Median, s.Low, s.High)
}
