package archtest

import (
	"cmp"
	"context"
	"go/ast"
	"go/doc"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// checkPackageDocs wants a first sentence for every package, in the form that
// go doc and package indexes show. A program's, which Mage prints above its
// list of targets, may begin as it likes.
func checkPackageDocs(_ context.Context, t *tree) []violation {
	first := make(map[string]goFile)
	docs := make(map[string]string)
	for _, f := range t.golang {
		if f.test {
			continue
		}
		if _, ok := first[f.folder()]; !ok {
			first[f.folder()] = f
		}
		if text := f.syntax.Doc.Text(); text != "" {
			docs[f.folder()] = text
		}
	}
	var out []violation
	for _, folder := range slices.Sorted(maps.Keys(first)) {
		name := first[folder].syntax.Name
		text, want := docs[folder], "Package "+name.Name+" "
		sentence := new(doc.Package).Synopsis(text)
		switch {
		case text == "":
			out = append(out, t.at(name.Pos(), "package %s has no doc comment: say in a sentence what it owns", name.Name))
		case name.Name != "main" && !strings.HasPrefix(text, want):
			out = append(out, t.at(name.Pos(), "the doc comment of package %s must begin with %q", name.Name, want))
		case !strings.HasSuffix(sentence, "."):
			out = append(out, t.at(name.Pos(), "the doc comment of package %s must begin with a sentence that ends in a full stop", name.Name))
		}
	}
	return out
}

// checkDocs wants a comment on everything exported. A comment on a group of
// constants or variables, and one on a run of fields without a blank line
// between them, counts for each of its members.
func checkDocs(_ context.Context, t *tree) []violation {
	c := docCheck{t: t}
	for _, f := range t.golang {
		if f.test {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				c.function(d)
			case *ast.GenDecl:
				c.group(d)
			}
		}
	}
	slices.SortStableFunc(c.out, func(a, b violation) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line))
	})
	return c.out
}

// docCheck collects what is not documented.
type docCheck struct {
	t   *tree
	out []violation
}

// want wants one of comments to say something about name.
func (c *docCheck) want(pos token.Pos, kind, name string, comments ...*ast.CommentGroup) {
	if !slices.ContainsFunc(comments, says) {
		c.out = append(c.out, c.t.at(pos, "%s %s has no doc comment: say what it is, its unit, its zero value, its errors", kind, name))
	}
}

// says reports whether a comment has words; directives are none.
func says(g *ast.CommentGroup) bool { return strings.TrimSpace(g.Text()) != "" }

func (c *docCheck) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		c.want(d.Name.Pos(), "function", d.Name.Name, d.Doc)
		return
	}
	if receiver := receiverName(d.Recv); ast.IsExported(receiver) {
		c.want(d.Name.Pos(), "method", receiver+"."+d.Name.Name, d.Doc)
	}
}

// receiverName is the name of a method's type without pointer and type
// parameters.
func receiverName(recv *ast.FieldList) string {
	if len(recv.List) != 1 {
		return ""
	}
	typ := recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.ParenExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func (c *docCheck) group(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if !s.Name.IsExported() {
				continue
			}
			doc := s.Doc
			if len(d.Specs) == 1 && doc == nil {
				doc = d.Doc
			}
			c.want(s.Name.Pos(), "type", s.Name.Name, doc, s.Comment)
			c.members(s.Name.Name, s.Type)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() {
					c.want(name.Pos(), d.Tok.String(), name.Name, d.Doc, s.Doc, s.Comment)
				}
			}
		}
	}
}

// members looks at the fields and methods that a type's literal declares.
func (c *docCheck) members(owner string, typ ast.Expr) {
	ast.Inspect(typ, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field:
			return len(x.Names) == 0 || slices.ContainsFunc(x.Names, (*ast.Ident).IsExported)
		case *ast.StructType:
			c.fields("field", owner, x.Fields)
		case *ast.InterfaceType:
			c.fields("method", owner, x.Methods)
		}
		return true
	})
}

// fields looks at one list of fields or interface methods. What is embedded
// has its documentation where it is declared.
func (c *docCheck) fields(kind, owner string, list *ast.FieldList) {
	grouped, last := false, 0
	for _, f := range list.List {
		start := f.Pos()
		if f.Doc != nil {
			start = f.Doc.Pos()
		}
		adjacent := last > 0 && c.t.fset.Position(start).Line == last+1
		grouped = says(f.Doc) || adjacent && grouped
		last = c.t.fset.Position(f.End()).Line
		for _, name := range f.Names {
			if name.IsExported() && !grouped {
				c.want(name.Pos(), kind, owner+"."+name.Name, f.Comment)
			}
		}
	}
}
