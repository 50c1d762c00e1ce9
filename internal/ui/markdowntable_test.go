package ui

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Figures and names can be read as they are; nothing is markup.
func TestMarkdownText(t *testing.T) {
	for in, want := range map[string]string{
		"2 rounds; 2 cores, load 10.7, Nix 2.26.3 (84 %)": "2 rounds; 2 cores, load 10.7, Nix 2.26.3 (84 %)",
		"evaluate-cold: it would change":                  "evaluate-cold: it would change",
		"<script>|x|":                                     `\<script\>\|x\|`,
		"@someone #1 :smile: **b** _i_ `c`":               "\\@<!-- -->someone \\#1 \\:smile: \\*\\*b\\*\\* \\_i\\_ \\`c\\`",
		"http://p620:5000":                                `http\:\//p620\:5000`,
		"www.example.org":                                 `www\.example\.org`,
		"- item":                                          `\- item`,
		"1. item":                                         `1\. item`,
		"12) item":                                        `12\) item`,
		"\x1b[31mred\nline":                               "",
	} {
		got := MarkdownText(in)
		if want != "" && got != want || strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A table has a line for each row and as many cells in each, whatever they hold.
func TestMarkdownTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head := []Cell{{Text: "A"}, {Text: "B", Right: true}}
		var rows [][]Cell
		for range rapid.IntRange(0, 4).Draw(t, "rows") {
			var row []Cell
			for range rapid.IntRange(0, 3).Draw(t, "cells") {
				row = append(row, Cell{Text: rapid.String().Draw(t, "text")})
			}
			rows = append(rows, row)
		}
		lines := strings.Split(MarkdownTable(head, rows), "\n")
		if len(lines) != len(rows)+3 || lines[1] != "| --- | ---: |" {
			t.Fatalf("%q", lines)
		}
		for _, l := range lines[:len(lines)-1] {
			bars := 0
			for i := range l {
				// One with an even number of backslashes before it is a bar.
				n := len(l[:i]) - len(strings.TrimRight(l[:i], `\`))
				if l[i] == '|' && n%2 == 0 {
					bars++
				}
			}
			if bars != 3 {
				t.Fatalf("%d bars in %q", bars, l)
			}
		}
	})
}
