package readset

import (
	"path"
	"slices"
	"strings"
)

// Facts are what the text of a Nix file shows that no opening of a file does: whether it may use what
// Nix says of the source tree as a whole; and what it names, for warnings. Comments and strings
// count like code: the facts may say too much, but not too little. The zero value is that of a
// file that shows nothing.
//
// Paths are relative to the tree's root, with "" for the root itself, and slash-separated;
// lists are sorted.
type Facts struct {
	// Paths are the path literals in the text, each a file, or a directory with everything
	// below it. Under are directories of which something below is named, as by ./dir/${x}.
	Paths []string `json:"paths,omitempty"`
	Under []string `json:"under,omitempty"`
	// Metadata says that the text names something that Nix tells of the flake's source tree
	// as a whole (revision, dates, hash, place), or gives the flake to code of inputs. Dates says that
	// it names a date or the number of revisions, which no derivation can be searched for.
	Metadata bool `json:"metadata,omitempty"`
	Dates    bool `json:"dates,omitempty"`
	// Strings says that the text may turn a path into a string, which then holds the place
	// of the source tree; Places that it does so with a literal; Hashes that it may make a hash of a string.
	Strings bool `json:"strings,omitempty"`
	Places  bool `json:"places,omitempty"`
	Hashes  bool `json:"hashes,omitempty"`
}

// Scan finds the facts of a Nix file from its text; name is its path in the tree, from which
// relative paths in it are resolved. Any text will do: there are no errors.
func Scan(name, text string) Facts {
	var f Facts
	dir := path.Dir(name)
	for _, at := range all(text, pathLiteral) {
		literal := text[at[0]:at[1]]
		if rest := at[0] > 0 && text[at[0]-1] == '/'; !rest && strings.Contains(literal, "/") {
			f.mention(dir, literal)
			// Of a copy of the root Nix need not open anything, if it has just put the tree into the store.
			if p, _ := resolve(dir, literal); p == "" && !goesOn.MatchString(text[at[1]-1:]) {
				f.Metadata = true
			}
		}
	}
	f.Strings = strings.Contains(text, "toString")
	f.Places = in(text, literalText)
	f.Hashes = in(text, hashes)
	f.Metadata = f.Metadata || namesSelf(text) || in(text, anyInput) || handsOnSelf(text) || in(text, metadata) || takesPlaceApart(text)
	for _, at := range all(text, metadataAttr) {
		switch named := text[max(0, at[0]-near):at[1]]; {
		case binding.MatchString(text[at[1]:]), isAsked.MatchString(named):
		case ofInput.MatchString(named) && !ofSelf.MatchString(named):
			f.Strings = true
		default:
			f.Metadata = true
		}
	}
	f.Dates = in(text, dates)
	for _, list := range []*[]string{&f.Paths, &f.Under} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return f
}

// takesPlaceApart reports whether a text may make of the tree's place what no derivation can be searched
// for: a part or a hash, or reach it by other than a path literal.
func takesPlaceApart(text string) bool {
	return in(text, partText) || strings.Contains(text, "unsafeDiscard") || in(text, literalText) && in(text, altered) || in(text, climbs) ||
		in(text, hashes) && (strings.Contains(text, "toString") || strings.Contains(text, "toXML"))
}

// mention notes a path literal.
func (f *Facts) mention(dir, literal string) {
	p, under := resolve(dir, literal)
	if under {
		f.Under = append(f.Under, p)
	} else {
		f.Paths = append(f.Paths, p)
	}
}

// resolve makes a literal in a file of dir a path in the tree; under says that
// something below it is meant. A literal that leads out of the tree means all.
func resolve(dir, literal string) (p string, under bool) {
	literal, under = strings.CutSuffix(literal, "${")
	if under {
		literal = literal[:strings.LastIndexByte(literal, '/')+1]
	}
	p = path.Join(dir, literal)
	switch {
	case p == "." || p == ".." || strings.HasPrefix(p, "../"):
		return "", true
	case under:
		return p, true
	}
	return p, false
}

// handsOnSelf reports whether code of an input is given the flake in a call.
func handsOnSelf(text string) bool {
	return in(text, clan) || slices.ContainsFunc(all(text, self), func(at []int) bool {
		return selfGiven.MatchString(text[max(0, at[0]-near):at[0]])
	})
}

// namesSelf reports whether the flake may be used as a path.
func namesSelf(text string) bool {
	for _, at := range all(text, self) {
		before, after := text[max(0, at[0]-near):at[0]], text[at[1]:]
		switch {
		case longer.MatchString(after), strings.HasSuffix(before, "-"), selfAttr.MatchString(after) && !selfPlace.MatchString(after):
		case selfOf.MatchString(before):
			return true
		case selfFormal.MatchString(after), selfListed.MatchString(after) && listed.MatchString(uncommented(before)), selfInherit.MatchString(before):
		default:
			return true
		}
	}
	return in(text, flakePath)
}

// uncommented is a text without its comments, if none begins before it.
func uncommented(text string) string {
	return comment.ReplaceAllString(commentLine.ReplaceAllString(text, ""), "")
}

// covers reports whether a list of directories and files holds a path or one
// above it.
func covers(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return p == "" || p == name || strings.HasPrefix(name, p) && name[len(p)] == '/'
	})
}
