package archtest

import (
	"context"
	"path"
	"slices"
	"strings"
)

// folderRule says what the files of one folder, and of the folders below it,
// may import besides the standard library and their own folder.
type folderRule struct {
	folder string
	// own are folders of this module, others are paths of other modules; each
	// stands for everything below it.
	own, others []string
	// anyOther lifts the limit on other modules.
	anyOther bool
}

// name is what messages call the folder.
func (r folderRule) name() string {
	if r.folder == "." {
		return "the root folder"
	}
	return r.folder
}

// house is the design's table, leaves first. Whatever is not listed is
// forbidden: a new folder, a new arrow between two of them and a new
// dependency are decisions, and this is where they are written down.
func house() []folderRule {
	const (
		mage       = "github.com/magefile/mage"
		multierror = "github.com/hashicorp/go-multierror"
		perf       = "golang.org/x/perf"
		prometheus = "github.com/prometheus"
		otel       = "go.opentelemetry.io/otel"
		otlp       = "go.opentelemetry.io/proto/otlp"
		protobuf   = "google.golang.org/protobuf"
		script     = "github.com/bitfield/script"
		sqlite     = "modernc.org/sqlite"
		sync       = "golang.org/x/sync"
		sys        = "golang.org/x/sys"
		term       = "golang.org/x/term"
		toml       = "github.com/pelletier/go-toml/v2"
	)
	// Without those that export.
	spans := []string{otel + "/attribute", otel + "/codes", otel + "/trace"}
	return []folderRule{
		{folder: "internal/archtest", own: []string{"internal/proc"}},
		{folder: "internal/proc", others: slices.Concat([]string{sys}, spans)},
		{folder: "internal/signals"},
		{folder: "internal/local", own: []string{"internal/proc"}},
		{folder: "internal/worktree", own: []string{"internal/proc"}, others: []string{sys}},
		{folder: "internal/readset", own: []string{"internal/worktree"}},
		{folder: "nixcmd", own: []string{"internal/proc"}, others: []string{sync}},
		{folder: "sshpool", own: []string{"internal/proc"}, others: []string{sync, sys}},
		{folder: "fleet", own: []string{"nixcmd", "sshpool", "internal/local", "internal/worktree", "internal/readset"}, others: slices.Concat([]string{sync, multierror, toml}, spans)},
		{folder: "bench", own: []string{"fleet", "internal/proc"}, others: []string{perf}},
		{folder: "internal/history", own: []string{"fleet"}, others: []string{sqlite, sys}},
		{folder: "internal/metrics", own: []string{"fleet", "internal/history", "nixcmd"}, others: []string{prometheus}},
		{folder: "internal/traces", others: []string{otel, otlp, protobuf}},
		{folder: "internal/ui", own: []string{"fleet", "internal/history"}, others: []string{sync, sys, term}},
		{folder: "internal/lab", own: []string{"internal/proc"}, others: []string{sync, sys}},
		{folder: "internal/nixos"},
		{
			folder: "recipes", own: []string{"fleet", "bench", "internal/ui", "internal/history", "internal/metrics", "internal/traces", "internal/signals", "nixcmd"},
			others: []string{mage, multierror, script, sync, otel + "/attribute"},
		},
		{folder: "internal/chores", own: []string{"internal/proc", "internal/lab", "internal/signals"}, others: []string{script}},
		{folder: "bench/peers", own: []string{"bench", "internal/proc", "internal/lab"}},
		{folder: "internal/demo", own: []string{"internal/proc", "internal/lab", "internal/chores"}, others: []string{script, term}},
		{folder: "internal/e2e", own: []string{"recipes"}},
		{folder: "examples", own: []string{"fleet", "nixcmd", "sshpool", "bench", "recipes"}, anyOther: true},
		{
			folder: ".", own: []string{"recipes", "bench/peers", "internal/chores", "internal/demo", "internal/lab", "internal/proc"},
			others: []string{mage, script},
		},
	}
}

// testImports are what any test may import besides: processes and real hosts
// to test against, and the modules made for tests.
func testImports() folderRule {
	return folderRule{
		own: []string{"internal/proc", "internal/lab"},
		others: []string{
			"github.com/rogpeppe/go-internal", "pgregory.net/rapid", "github.com/rhysd/actionlint", "github.com/grafana/grafana-foundation-sdk/go",
			"golang.org/x/sync", "golang.org/x/sys", "go.opentelemetry.io", "google.golang.org/protobuf",
		},
	}
}

// findFolder is the rule for a folder: that of the nearest folder listed. The
// root's rule holds for the root only.
func findFolder(rules []folderRule, folder string) (folderRule, bool) {
	var best folderRule
	found := false
	for _, r := range rules {
		if !(r.folder == folder || r.folder != "." && within(folder, r.folder)) {
			continue
		}
		if !found || len(r.folder) > len(best.folder) {
			best, found = r, true
		}
	}
	return best, found
}

// checkImports holds every file to its folder's row of the house.
func checkImports(_ context.Context, t *tree) []violation {
	var out []violation
	rules, forTests := house(), testImports()
	for _, f := range t.golang {
		rule, ok := findFolder(rules, f.folder())
		if !ok {
			out = append(out, t.at(f.syntax.Package,
				"folder %s is not part of the house: move the file, or add a row to internal/archtest/imports_test.go", f.folder()))
			continue
		}
		own, others := rule.own, rule.others
		if f.test {
			own, others = slices.Concat(own, forTests.own), slices.Concat(others, forTests.others)
		}
		for _, spec := range f.syntax.Imports {
			p := importPath(spec)
			inside, isOwn := strings.CutPrefix(p+"/", module+"/")
			inside = strings.TrimSuffix(inside, "/")
			switch {
			case spec.Name != nil && spec.Name.Name == ".":
				out = append(out, t.at(spec.Pos(), "dot import of %s hides where names come from: import it by name", p))
			case isOwn:
				if !within(path.Join(".", inside), rule.folder) && !listed(own, inside) {
					out = append(out, t.at(spec.Pos(),
						"%s must not import %s: pass what is needed in, or move the code to the folder that owns it", rule.name(), inside))
				}
			case isOther(p) && !rule.anyOther && !listed(others, p):
				out = append(out, t.at(spec.Pos(),
					"%s must not import %s: use the standard library or the folder that owns the job, or add the module to its row in internal/archtest/imports_test.go", rule.name(), p))
			}
		}
	}
	return out
}

// listed reports whether an import is one of list or below one.
func listed(list []string, p string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return within(p, l) })
}

// isOther reports whether an import is of another module: those begin with a
// host name, which has a dot, and the standard library does not. The "C" of
// cgo counts as other, to be forbidden.
func isOther(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return strings.Contains(first, ".") || p == "C"
}
