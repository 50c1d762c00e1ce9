package fleet

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a text such as "4GiB". A bare number, whose unit nobody could know,
// cannot be one.
type size string

// bytes reads a size above 0, with or without a fraction: "512MiB", "1.5 GiB",
// "2GB". Units are those of ISO 80000-13 and of SI, whatever the case.
func (s size) bytes() (int64, bool) {
	text := strings.TrimSpace(string(s))
	end := len(text) - len(strings.TrimLeft(text, "0123456789."))
	n, err := strconv.ParseFloat(text[:end], 64)
	if err != nil || text[0] == '.' {
		return 0, false
	}
	units := map[string]float64{"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
	unit := units[strings.ToLower(strings.TrimSpace(text[end:]))]
	if n *= unit; n < 1 || n >= math.MaxInt64 {
		return 0, false
	}
	return int64(n), true
}

// bytesText writes a size for people, in the unit that suits it.
func bytesText(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", (n+1<<10-1)>>10)
	case n < 10<<30:
		return fmt.Sprintf("%d MiB", (n+1<<19)>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
