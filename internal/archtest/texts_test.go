package archtest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// checkScripts wants every shell script to be one that sh can parse: scripts
// run on hosts where that is all there is.
func checkScripts(ctx context.Context, t *tree) []violation {
	var out []violation
	for _, f := range t.texts {
		if path.Ext(f.path) != ".sh" || inTestdata(f.path) {
			continue
		}
		_, err := proc.Run(ctx, proc.Cmd{Argv: []string{"sh", "-n"}, Stdin: strings.NewReader(f.content)})
		var failed *proc.Error
		switch {
		case errors.As(err, &failed) && failed.Code > 0:
			out = append(out, violation{f.path, 1, fmt.Sprintf("sh -n refuses this script, keep to POSIX shell: %s", failed.Stderr)})
		case err != nil:
			out = append(out, violation{f.path, 1, fmt.Sprintf("could not be checked: %v", err)})
		}
	}
	return out
}

// checkTexts keeps out what means something on one machine or to one person
// only: paths of the machine a file was written on, and good intentions that
// nobody tracks.
func checkTexts(_ context.Context, t *tree) []violation {
	machinePath := regexp.MustCompile(`(^|[^\w./~$}-])` + regexp.QuoteMeta(t.root) + `($|\W)`)
	intention := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b(\s?\(?\w*#\d+)?`)
	var out []violation
	for _, f := range t.texts {
		if inTestdata(f.path) || strings.ContainsRune(f.content, 0) {
			continue
		}
		line := 0
		for text := range strings.Lines(f.content) {
			line++
			if !within(f.path, "internal/lab") && !within(f.path, "docs/adr") && machinePath.MatchString(text) {
				out = append(out, violation{f.path, line, "a path of the machine this was written on: use a relative path or a variable"})
			}
			for _, match := range intention.FindAllStringSubmatch(text, -1) {
				if match[2] == "" {
					out = append(out, violation{f.path, line, fmt.Sprintf("%s without an issue: do it, drop it, or write %s(#123)", match[1], match[1])})
				}
			}
		}
	}
	return out
}
