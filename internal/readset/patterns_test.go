package readset

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A pattern that matches where none of its words is would never be tried there.
func TestPatternsHaveTheirWords(t *testing.T) {
	for name, p := range map[string]*regexp.Regexp{
		"reader": reader, "given": given, "scheme": scheme, "turned": turned, "forgets": forgets, "metadataAttr": metadataAttr,
		"metadata": metadata, "dates": dates, "rootName": rootName, "partText": partText, "evades": evades, "climbs": climbs,
		"fromRoot": fromRoot, "clan": clan, "ignores": ignores, "apart": apart, "self": self, "anyInput": anyInput, "flakePath": flakePath,
	} {
		// What is at its ends is not what it is about, and rapid does not know it.
		expr := strings.NewReplacer(`\b`, "", `(?:^|`, `(?: |`, `|$)`, "| )").Replace(p.String())
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			text := rapid.StringMatching(expr).Draw(t, "text")
			if !mayMatch(p, text) {
				t.Errorf("%q has none of %q", text, wordsOf(p))
			}
		}))
	}
}
