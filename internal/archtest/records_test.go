package archtest

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// checkRecords wants every architecture decision record to be found by its
// number and to answer the four questions of its form: see Michael Nygard,
// "Documenting Architecture Decisions".
func checkRecords(_ context.Context, t *tree) []violation {
	var out []violation
	numbers := make(map[string]string)
	for _, f := range t.texts {
		if path.Dir(f.path) != "docs/adr" || path.Ext(f.path) != ".md" || path.Base(f.path) == "README.md" {
			continue
		}
		match := regexp.MustCompile(`^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md$`).FindStringSubmatch(path.Base(f.path))
		if match == nil {
			out = append(out, violation{f.path, 1, "name a decision record NNNN-words-of-its-title.md"})
			continue
		}
		if other, taken := numbers[match[1]]; taken {
			out = append(out, violation{f.path, 1, fmt.Sprintf("number %s is taken by %s: use the next free one", match[1], other)})
		}
		numbers[match[1]] = f.path
		if !strings.HasPrefix(f.content, "# ") {
			out = append(out, violation{f.path, 1, "begin a decision record with its title: # Title"})
		}
		for _, part := range []string{"Status", "Context", "Decision", "Consequences"} {
			if !regexp.MustCompile(`(?m)^(## |\*\*)?` + part + `\b`).MatchString(f.content) {
				out = append(out, violation{f.path, 1, fmt.Sprintf("a decision record needs a part on its %s: ## %s", strings.ToLower(part), part)})
			}
		}
	}
	return out
}
