package archtest

import (
	"context"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// checkState refuses what happens or changes behind a caller's back: init
// functions and package-level variables. Allowed are variables that no one has
// a reason to change: errors, compiled patterns, embedded files, assertions
// that a type satisfies an interface, and the two that Mage reads.
func checkState(_ context.Context, t *tree) []violation {
	var out []violation
	for _, f := range t.golang {
		names := f.imported()
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" && f.path != "recipes/socket.go" { // ADR 23
					out = append(out, t.at(d.Pos(), "init function: let the caller call a constructor"))
				}
			case *ast.GenDecl:
				if d.Tok != token.VAR || f.test {
					continue
				}
				for _, spec := range d.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok {
						continue
					}
					for i, name := range v.Names {
						if !isConstant(f, names, d, v, i) {
							out = append(out, t.at(name.Pos(),
								"package-level variable %s: make it a constant, a function that returns the value, or a field of a type", name.Name))
						}
					}
				}
			}
		}
	}
	return out
}

// isConstant reports whether the i-th name of a variable declaration is one of
// the allowed kinds.
func isConstant(f goFile, names map[string]string, d *ast.GenDecl, v *ast.ValueSpec, i int) bool {
	name := v.Names[i].Name
	switch {
	case name == "_":
		return true
	case isEmbedded(d.Doc) || isEmbedded(v.Doc):
		return true
	case isMagefile(f) && (name == "Default" || name == "Aliases"):
		return true
	case i >= len(v.Values):
		return false
	}
	call, ok := v.Values[i].(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	made := path.Base(names[x.Name]) + "." + sel.Sel.Name
	return slices.Contains([]string{
		"errors.New", "fmt.Errorf", "regexp.MustCompile", "regexp.MustCompilePOSIX", "strings.NewReplacer",
	}, made)
}

// isEmbedded reports whether a comment holds a go:embed directive.
func isEmbedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}
