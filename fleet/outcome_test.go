package fleet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// Outcomes has every constant of its type.
func TestOutcomesAreAll(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "outcome.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []Outcome
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := v.Type.(*ast.Ident); ok && of.Name == "Outcome" {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, Outcome(text))
		}
		return true
	})
	listed := Outcomes()
	slices.Sort(all)
	slices.Sort(listed)
	if len(all) < 10 || !slices.Equal(all, listed) {
		t.Errorf("constants %q, listed %q", all, listed)
	}
}
