package nixcmd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// evalLog follows the log of an evaluation.
type evalLog struct {
	each     func(LogLine)
	missed   func() // called once the evaluation cache is known not to have the answer
	human    humanLog
	files    []string // as Nix shows them, in order
	called   bool     // the flake's outputs were evaluated
	warnings []string
	failure  *event   // the last error
	workers  []uint64 // activities that Nix builds under, or would
	builds   bool
	ev       event // the line at hand, kept here to be allocated once
}

const (
	evaluatingFile = "evaluating file '"
	callFlake      = "»/call-flake.nix"
)

func (g *evalLog) line(line string) {
	ev := &g.ev
	if !parseEvent(line, ev) {
		text := plain(line)
		g.human.add(text)
		g.tell(LogLine{Level: LevelInfo, Text: text})
		return
	}
	if ev.action != actMsg {
		g.building(ev)
		return
	}
	if file, ok := strings.CutPrefix(ev.text, evaluatingFile); ok {
		g.evaluating(strings.TrimSuffix(file, "'"))
		return
	}
	l := ev.logLine()
	g.human.message(l)
	g.tell(l)
	switch {
	case ev.isTrace():
		// Configurations of before builtins.warn warn by tracing.
		text := strings.TrimPrefix(l.Text, tracePrefix)
		for _, prefix := range []string{"evaluation warning: ", "warning: "} {
			if w, ok := strings.CutPrefix(text, prefix); ok {
				g.warnings = append(g.warnings, w)
				break
			}
		}
	case ev.level == LevelWarn:
		g.warnings = append(g.warnings, ev.message())
	case ev.level == LevelError && (ev.raw != "" || g.failure == nil || g.failure.raw == ""):
		failure := *ev
		g.failure = &failure
	}
}

// relocked reports whether Nix made up a lock file that it did not write.
func (g *evalLog) relocked() bool {
	return slices.ContainsFunc(g.warnings, func(w string) bool { return strings.HasPrefix(w, "not writing modified lock file of flake ") })
}

// building notes that something is built, or looked for among what was built
// before: both begin with one more build that is expected. A worker that fetches
// an input from a substituter expects none.
func (g *evalLog) building(ev *event) {
	switch {
	case ev.action == actStart && ev.typ == activityBuilds:
		g.workers = append(g.workers, ev.id)
	case ev.action == actStart && ev.typ == activityBuild:
		g.builds = true
	case ev.action == actResult && ev.typ == resultProgress && slices.Contains(g.workers, ev.id):
		g.builds = g.builds || ev.fields[0].n > 0 || ev.fields[1].n > 0
	}
}

func (g *evalLog) tell(l LogLine) {
	if g.each != nil && l.Level <= LevelInfo && l.Text != "" {
		g.each(l)
	}
}

func (g *evalLog) evaluating(file string) {
	switch {
	case strings.HasSuffix(file, callFlake):
		g.called = true
	case strings.HasPrefix(file, "<nix/"), strings.HasPrefix(file, "«nix-internal»"), strings.HasPrefix(file, "«flakes-internal»"),
		strings.HasPrefix(file, "«builtin-flake-schemas»"): // Determinate Nix since 3.17
		return
	default:
		g.files = append(g.files, file)
	}
	if g.missed != nil && !g.cached() {
		g.missed()
		g.missed = nil
	}
}

// cached reports whether Nix's evaluation cache had the answer. Nix then still
// reads flake.nix for its inputs, as it may those of other flakes, but does not call
// its outputs. Versions that do not tell of the call cannot be seen to have evaluated
// flakes that are all in one file each: such evaluations pass for cached. The other
// way round, a host would be taken to import nothing.
func (g *evalLog) cached() bool {
	return g.flake() != "" && !g.called && !slices.ContainsFunc(g.files, func(f string) bool { return !strings.HasSuffix(f, "/flake.nix") })
}

// flake is the flake.nix that Nix was asked for: the first that it reads, before
// those of inputs. "" if Nix names none.
func (g *evalLog) flake() string {
	for _, f := range g.files {
		if strings.HasSuffix(f, "/flake.nix") {
			return f
		}
	}
	return ""
}

func (g *evalLog) imports() []string {
	tree := g.tree()
	paths := make([]string, 0, len(g.files))
	for _, f := range g.files {
		paths = append(paths, tree.relative(f))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// opens are the names of what was opened; nil if the flake was not.
func (g *evalLog) opens(list []string) []string {
	if !slices.Contains(list, g.flake()) {
		return nil
	}
	tree := g.tree()
	paths := make([]string, len(list))
	for i, f := range list {
		paths[i] = tree.relative(f)
	}
	return paths
}

// tree is the root of the flake's source tree, as Nix shows it.
func (g *evalLog) tree() sourceTree { return treeOf(g.flake()) }

// sourceTree is a folder as Nix shows it in the names of files, with a slash at
// its end. "" is none.
type sourceTree string

// treeOf finds the source tree of a file in one of the forms that Nix shows: in
// the store, in «a fetched source», or (since 2.32) in a Git work tree, whose
// root is where its .git is.
func treeOf(file string) sourceTree {
	if rest, ok := strings.CutPrefix(file, StoreDir+"/"); ok {
		base, _, ok := strings.Cut(rest, "/")
		if ok && checkBaseName(base) == nil {
			return sourceTree(StoreDir + "/" + base + "/")
		}
		return ""
	}
	if strings.HasPrefix(file, "«") {
		if i := strings.Index(file, "»/"); i >= 0 {
			return sourceTree(file[:i+len("»/")])
		}
		return ""
	}
	if !filepath.IsAbs(file) {
		return ""
	}
	dir := filepath.Dir(file)
	for top := dir; ; top = filepath.Dir(top) {
		if _, err := os.Lstat(filepath.Join(top, ".git")); err == nil {
			dir = top
			break
		}
		if top == filepath.Dir(top) {
			break
		}
	}
	return sourceTree(strings.TrimSuffix(dir, "/") + "/")
}

// relative returns the path of a file of the tree below its root, and other
// names as they are.
func (t sourceTree) relative(file string) string {
	if t == "" {
		return file
	}
	return strings.TrimPrefix(file, string(t))
}

// relativeIn is relative for all names of files in a text. A name that only ends like
// the tree's is another's.
func (t sourceTree) relativeIn(text string) string {
	if t == "" || t == "/" {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, string(t))
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		if before := b.String(); before != "" && strings.ContainsAny(before[len(before)-1:], nameChars) {
			b.WriteString(string(t))
		}
		text = text[i+len(t):]
	}
}

// nameChars are those by which a longer name would go on.
const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/"

// strange finds the repository that Git, or its library in Nix, refuses as another user's.
func strange(message string) (repository string, ok bool) {
	if _, after, ok := strings.Cut(message, "detected dubious ownership in repository at '"); ok {
		repository, _, _ = strings.Cut(after, "'\n")
		return repository, true
	}
	_, after, _ := strings.Cut(message, "repository path '")
	repository, _, ok = strings.Cut(after, "' is not owned by current user")
	return repository, ok
}

// trust is what to do about a repository that is refused. Another user chose its name.
func trust(repository string) string {
	return "if you trust it: git config --global --add safe.directory '" + strings.ReplaceAll(repository, "'", `'\''`) + "'"
}

// explain makes an *EvalError of a failed command if Nix said what was wrong.
func (g *evalLog) explain(what Installable, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	e.Stderr = g.human.String()
	if e.Err != nil || g.failure == nil {
		return e
	}
	tree := g.tree()
	message := g.failure.message()
	out := &EvalError{
		Installable: what.String(), Message: tree.relativeIn(message),
		Argv: e.Argv, ExitCode: e.ExitCode, Stderr: e.Stderr,
	}
	out.File, out.Line, out.Column = position(g.failure.file, g.failure.line, g.failure.col)
	for _, f := range g.failure.trace { // innermost first
		file, line, col := position(f.File, f.Line, f.Column)
		if out.File == "" && tree != "" && strings.HasPrefix(file, string(tree)) {
			out.File, out.Line, out.Column = file, line, col
		}
		out.Trace = append(out.Trace, traceLine(tree.relative(file), line, col, tree.relativeIn(plain(f.Raw))))
	}
	slices.Reverse(out.Trace)
	out.File = tree.relative(out.File)
	if repository, ok := strange(message); ok {
		out.hint = trust(repository)
	} else if strings.Contains(message, "No space left on device") { // nor does Nix say on which
		out.hint = "make room here, where Nix has its store, its cache and its temporary files: nix-collect-garbage"
	} else if len(out.Trace) == 0 && !slices.Contains(e.Argv, "--show-trace") {
		out.hint = TraceHint
	}
	return out
}
