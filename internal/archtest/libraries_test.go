package archtest

import (
	"context"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// checkProcesses keeps the start of processes to internal/proc, which alone
// gives them a group, a grace period and an account. Tests may start their own.
func checkProcesses(_ context.Context, t *tree) []violation {
	const remedy = "only internal/proc starts processes: use proc.Run"
	starters := map[string][]string{
		"os":                         {"StartProcess"},
		"syscall":                    {"Exec", "ForkExec", "StartProcess"},
		"golang.org/x/sys/unix":      {"Exec"},
		"github.com/bitfield/script": {"Exec", "ExecForEach"},
	}
	var out []violation
	for _, f := range t.golang {
		if f.test || within(f.folder(), "internal/proc") {
			continue
		}
		for _, spec := range f.syntax.Imports {
			if p := importPath(spec); p == "os/exec" || p == "github.com/magefile/mage/sh" {
				out = append(out, t.at(spec.Pos(), "import of %s: %s", p, remedy))
			}
		}
		f.uses(func(pos token.Pos, pkg, name string) {
			if slices.Contains(starters[pkg], name) {
				out = append(out, t.at(pos, "%s.%s: %s", path.Base(pkg), name, remedy))
			}
		})
	}
	return out
}

// checkMage keeps Mage to recipes and magefiles.
func checkMage(_ context.Context, t *tree) []violation {
	var out []violation
	for _, f := range t.golang {
		if within(f.folder(), "recipes") || isMagefile(f) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			if p := importPath(spec); within(p, "github.com/magefile/mage") {
				out = append(out, t.at(spec.Pos(), "import of %s: only recipes and magefiles know Mage; return an error and let them turn it into an exit code", p))
			}
		}
	}
	return out
}

// isMagefile reports whether a file is one by the name that Mage's users give it.
func isMagefile(f goFile) bool {
	return strings.HasPrefix(path.Base(f.path), "magefile") || path.Base(f.folder()) == "magefiles"
}

// isLibrary reports whether a file's code runs inside other people's programs.
// The work behind this repository's own targets does not.
func isLibrary(f goFile) bool {
	if f.test || f.syntax.Name.Name == "main" ||
		within(f.folder(), "internal/chores") || within(f.folder(), "internal/demo") {
		return false
	}
	return slices.ContainsFunc([]string{"fleet", "nixcmd", "sshpool", "bench", "internal"},
		func(folder string) bool { return within(f.folder(), folder) })
}

// checkSilence keeps libraries from printing, exiting and logging globally.
func checkSilence(_ context.Context, t *tree) []violation {
	var out []violation
	for _, f := range t.golang {
		if !isLibrary(f) {
			continue
		}
		f.uses(func(pos token.Pos, pkg, name string) {
			switch {
			case pkg == "os" && name == "Exit":
				out = append(out, t.at(pos, "os.Exit in a library: return an error"))
			case pkg == "fmt" && strings.HasPrefix(name, "Print"):
				out = append(out, t.at(pos, "fmt.%s in a library: return a value, emit an event, or write to an io.Writer passed in", name))
			case pkg == "os" && (name == "Stdout" || name == "Stderr") && !within(f.folder(), "internal/proc"):
				out = append(out, t.at(pos, "os.%s in a library: write to an io.Writer passed in", name))
			case pkg == "log" && !slices.Contains([]string{"New", "Logger"}, name) && !strings.HasPrefix(name, "L"):
				out = append(out, t.at(pos, "log.%s uses the global logger: return an error or emit an event", name))
			case pkg == "log/slog" && isGlobalSlog(name):
				out = append(out, t.at(pos, "slog.%s uses the global logger: return an error or emit an event", name))
			}
		})
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
					out = append(out, t.at(id.Pos(), "built-in %s in a library: return a value or emit an event", id.Name))
				}
			}
			return true
		})
	}
	return out
}

// isGlobalSlog reports whether a function of log/slog uses its default logger.
func isGlobalSlog(name string) bool {
	return slices.Contains([]string{
		"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext",
		"Log", "LogAttrs", "Default", "SetDefault", "SetLogLoggerLevel", "With",
	}, name)
}

// checkNames refuses folders and packages whose name says nothing.
func checkNames(_ context.Context, t *tree) []violation {
	empty := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"}
	var out []violation
	seen := make(map[string]bool)
	for _, f := range t.golang {
		for _, name := range []string{strings.TrimSuffix(f.syntax.Name.Name, "_test"), path.Base(f.folder())} {
			if slices.Contains(empty, name) && !seen[f.folder()] {
				seen[f.folder()] = true
				out = append(out, t.at(f.syntax.Name.Pos(), "package %s: name it after what it owns", name))
			}
		}
	}
	return out
}
