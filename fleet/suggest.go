package fleet

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean is the help for a word that is not among the known ones: the
// nearest of them, or all if none is near and they are few.
func didYouMean(word string, known []string) string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if d <= max(2, len(word)/3) || word != "" && strings.HasPrefix(strings.ToLower(k), strings.ToLower(word)) {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	switch {
	case len(near) > 0:
		names := make([]string, 0, 3)
		for _, c := range near[:min(3, len(near))] {
			names = append(names, c.name)
		}
		return fmt.Sprintf("did you mean %s?", strings.Join(names, " or "))
	case len(known) == 0:
		return ""
	case len(known) <= 12:
		return "known are: " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("known are: %s and %d more", strings.Join(known[:12], ", "), len(known)-12)
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
