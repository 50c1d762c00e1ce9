package archtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// module is the path of this module.
const module = "github.com/nixflotilla/flotilla"

// tree is what the rules look at: the files that belong to the repository.
type tree struct {
	// root is the absolute path of the checkout.
	root string
	fset *token.FileSet
	// texts are all files, sorted by path; golang are the Go files among them
	// outside testdata, parsed without regard to build constraints, so that
	// no platform or tag hides anything.
	texts  []textFile
	golang []goFile
}

// textFile is one file. Its path is relative to the root, with slashes.
type textFile struct {
	path    string
	content string
}

// goFile is one parsed Go file.
type goFile struct {
	path   string
	test   bool
	syntax *ast.File
}

// violation is one breach of a rule and what to do about it.
type violation struct {
	path string
	line int
	text string
}

// String has the form that editors and CI systems turn into links.
func (v violation) String() string {
	return fmt.Sprintf("%s:%d: %s", v.path, v.line, v.text)
}

// newTree parses the Go files among texts.
func newTree(root string, texts []textFile) (*tree, error) {
	slices.SortFunc(texts, func(a, b textFile) int { return cmp.Compare(a.path, b.path) })
	t := &tree{root: root, fset: token.NewFileSet(), texts: texts}
	for _, text := range texts {
		if path.Ext(text.path) != ".go" || inTestdata(text.path) {
			continue
		}
		syntax, err := parser.ParseFile(t.fset, text.path, text.content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		t.golang = append(t.golang, goFile{text.path, strings.HasSuffix(text.path, "_test.go"), syntax})
	}
	return t, nil
}

// readTree reads the checkout at root: what git tracks and what it would add,
// so that a rule speaks up before the commit.
func readTree(ctx context.Context, root string) (*tree, error) {
	res, err := proc.Run(ctx, proc.Cmd{
		Argv: []string{"git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"},
		Dir:  root,
	})
	if err != nil {
		return nil, err
	}
	var texts []textFile
	folders := make(map[string]bool)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(res.Stdout), "\x00"), "\x00") {
		full := filepath.Join(root, filepath.FromSlash(name))
		info, err := os.Lstat(full)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue // deleted and not yet committed, a symlink or a submodule
		}
		if err != nil {
			return nil, err
		}
		content, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		texts = append(texts, textFile{name, string(content)})
		folders[filepath.Dir(full)] = true
	}
	// Listing the folders here tells the go command that this result depends on
	// them; it does not see what git reads, and would serve a cached result
	// although a file was added.
	for folder := range folders {
		if _, err := os.ReadDir(folder); err != nil {
			return nil, err
		}
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return newTree(absolute, texts)
}

// at is a violation at a place in a Go file.
func (t *tree) at(pos token.Pos, format string, args ...any) violation {
	p := t.fset.Position(pos)
	return violation{p.Filename, p.Line, fmt.Sprintf(format, args...)}
}

// folder is the folder a file is in; "." is the root.
func (f goFile) folder() string { return path.Dir(f.path) }

// imported maps the names by which the file knows its imports to their paths.
// A name that shadows an import is not seen through; the few rules that use
// this look at package names nobody should shadow.
func (f goFile) imported() map[string]string {
	names := make(map[string]string)
	for _, spec := range f.syntax.Imports {
		p := importPath(spec)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

// uses calls found for every qualified identifier of the file whose qualifier
// is an import: the path of the import and the name selected from it.
func (f goFile) uses(found func(pos token.Pos, pkg, name string)) {
	names := f.imported()
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
			found(sel.Pos(), names[x.Name], sel.Sel.Name)
		}
		return true
	})
}

// importPath is the path that an import declaration names.
func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value // the parser accepts no such thing
	}
	return p
}

// within reports whether a path is folder or below it.
func within(p, folder string) bool {
	return p == folder || strings.HasPrefix(p, folder+"/")
}

// inTestdata reports whether a file is a test's material and not the project's.
func inTestdata(p string) bool {
	return slices.Contains(strings.Split(path.Dir(p), "/"), "testdata")
}
