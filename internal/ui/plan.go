package ui

import (
	"fmt"
	"io"

	"github.com/nixflotilla/flotilla/fleet"
)

// plan writes a plan in short: a block for each host that would be deployed, then
// a table of all. Of a single host the block is all.
func plan(w io.Writer, r *fleet.Report) { planTo(newScreen(w), r) }

func planTo(s screen, r *fleet.Report) {
	for _, res := range r.Results {
		if res.Difference != nil && (res.Outcome != fleet.Unchanged || len(r.Results) == 1) {
			difference(s, res, false)
			if len(r.Results) > 1 {
				fmt.Fprintln(s.w)
			}
		}
	}
	if len(r.Results) > 1 {
		planTable(s, r)
	}
}

func planTable(s screen, r *fleet.Report) {
	rows := [][]string{{"HOST", "PLAN", "PACKAGES", "UNITS", "COPY", "WHY"}}
	for _, res := range r.Results {
		row := []string{res.Host.Name, planWordOf(res), "", "", "", plain(planWhy(res))}
		if d := res.Difference; d != nil && res.Outcome != fleet.Unchanged {
			row[2], row[3], row[4] = packageCount(d.Packages), unitCount(d), Bytes(d.Copy.Bytes)
		}
		rows = append(rows, row)
	}
	var width [5]int
	for _, row := range rows {
		for i := range width {
			width[i] = max(width[i], len(row[i]))
		}
	}
	for n, row := range rows {
		color, line, columns := dim, "", 0
		if n > 0 {
			color = outcomeColor(r.Results[n-1].Outcome)
		}
		for i, w := range width {
			cell := pad(row[i], w)
			if n == 0 || i == 1 {
				cell = s.paint(color, cell)
			}
			line, columns = line+cell+"  ", columns+w+2
		}
		text := row[len(row)-1]
		if s.width > 0 {
			text = cut(text, max(10, s.width-columns))
		}
		if n == 0 {
			text = s.paint(dim, text)
		}
		fmt.Fprintln(s.w, line+text)
	}
}
