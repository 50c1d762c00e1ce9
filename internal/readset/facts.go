package readset

import (
	"path"
	"slices"
	"strings"
)

// Facts are what the text of a Nix file shows of what the file may read. Comments and
// strings count like code: the facts may say too much, but not too little. The zero value
// is that of a file that reads nothing.
//
// Paths are relative to the tree's root, with "" for the root itself, and slash-separated;
// lists are sorted.
type Facts struct {
	// Paths are the path literals in the text, each a file, or a directory with everything
	// below it. Under are directories of which something below is named, as by ./dir/${x}.
	Paths []string `json:"paths,omitempty"`
	Under []string `json:"under,omitempty"`
	// Read are the paths whose contents are read where they are named, as by readFile ./x.
	// Begun are those from which the path of what is read is put together, as by
	// readFile (./x + ".json"): anything whose path begins so may be read.
	Read  []string `json:"read,omitempty"`
	Begun []string `json:"begun,omitempty"`
	// Reads says that contents are read of files that are not named where that is done, as
	// by f: readFile f.
	Reads bool `json:"reads,omitempty"`
	// Text says that what it does not name may be code, Code are those of Begun from which it may
	// go on to code: not if the name ends otherwise, or what is read is taken for JSON or TOML.
	Text bool     `json:"text,omitempty"`
	Code []string `json:"code,omitempty"`
	// Parts says that code of inputs may read parts of any file that is data, without being given
	// its path; Ignores that some may read what Git is to ignore; Apart that it may look at less
	// than all of a text.
	Parts   bool `json:"parts,omitempty"`
	Ignores bool `json:"ignores,omitempty"`
	Apart   bool `json:"apart,omitempty"`
	// Turned are those of Paths and Under that are copied for a text, which shows what is in
	// them though nothing may be made of the copy.
	Turned []string `json:"turned,omitempty"`
	// Climbs says that the text may make something that leads up from a path, as ".." or
	// dirOf do; also for another file, that goes on from there.
	Climbs bool `json:"climbs,omitempty"`
	// Metadata says that the text names something that Nix tells of the flake's source tree
	// as a whole: revision, dates, hash, place. Dates says that it names a date or the number
	// of revisions, which no derivation can be searched for.
	Metadata bool `json:"metadata,omitempty"`
	Dates    bool `json:"dates,omitempty"`
	// Strings says that the text may turn a path into a string, which then holds the place
	// of the source tree.
	Strings bool `json:"strings,omitempty"`
	// Evades says that what the text reads cannot be told: it calls another flake, or a
	// builtin by a name that is put together.
	Evades bool `json:"evades,omitempty"`
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
		}
	}
	for _, at := range all(text, reader) {
		from := max(0, at[0]-2*near)
		if from > 0 { // a comment that is cut is not seen to be one
			from += 1 + strings.IndexByte(text[from:at[0]], '\n')
		}
		before, after := text[from:at[0]], text[at[1]:]
		if from == 0 { // which is as if after a binding
			before = ";\n" + before
		}
		if binds.MatchString(before) {
			continue
		}
		applied := isApplied(before)
		spares := sparesCode(strings.TrimPrefix(text[at[0]:at[1]], "__"), before, after, applied)
		if applied {
			f.read(dir, after, 0, spares)
		} else {
			f.Reads, f.Text = true, f.Text || !spares
		}
	}
	for _, at := range all(text, given) {
		if rest := text[at[1]:]; !strings.HasPrefix(rest, "=") && !absolute.MatchString(rest) {
			f.read(dir, rest, 1, sparesCode(text[at[2]:at[3]], "", rest, true))
		}
	}
	for _, at := range all(text, scheme) {
		if rest := text[at[1]:]; readArgument.MatchString(rest) {
			f.read(dir, rest, 1, true)
		}
	}
	f.Parts, f.Ignores = in(text, clan), in(text, ignores)
	f.Apart = in(text, apart) || f.Text && strings.Contains(text, "hasPrefix")
	flake := namesSelf(text)
	f.Climbs = in(text, climbs) || in(text, fromRoot) || leadsUp(text)
	if f.Climbs || f.Parts || flake || handsOnSelf(text) || f.Reads && in(text, anyInput) {
		f.Under = append(f.Under, "")
	}
	f.Metadata = flake || in(text, metadata) || in(text, partText)
	f.turn(dir, text)
	for _, at := range all(text, rootName) {
		p, _ := resolve(dir, text[at[2]:at[3]])
		f.Metadata = f.Metadata || p == ""
	}
	f.Strings = strings.Contains(text, "toString")
	for _, at := range all(text, metadataAttr) {
		switch named := text[max(0, at[0]-near):at[1]]; {
		case binding.MatchString(text[at[1]:]), isAsked.MatchString(named):
		case ofInput.MatchString(named) && !ofSelf.MatchString(named):
			f.Strings = true
		default:
			f.Metadata = true
		}
	}
	// A hash of the tree's place shows in no derivation, nor is anything opened for it.
	f.Metadata = f.Metadata || in(text, hides) && (f.Strings || strings.Contains(text, "toXML"))
	f.Dates = in(text, dates)
	f.Evades = in(text, evades)
	for _, list := range []*[]string{&f.Paths, &f.Under, &f.Read, &f.Begun, &f.Code, &f.Turned} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return f
}

// isApplied reports whether a reader is, by what comes before it.
func isApplied(before string) bool {
	before = commentLine.ReplaceAllString(before, "")
	bare := uncommented(before)
	return applies.MatchString(before) && applies.MatchString(bare) && !closes.MatchString(bare)
}

// uncommented is a text without its comments, if none begins before it.
func uncommented(text string) string {
	return comment.ReplaceAllString(commentLine.ReplaceAllString(text, ""), "")
}

// turn notes the literals that are copied for a text, in a file that may forget of a text
// that it is of a copy: else what is copied is seen by that. Of the root it shows its hash.
// One that is compared shows little of the contents, as what is read does.
func (f *Facts) turn(dir, text string) {
	loses := in(text, forgets)
	for _, at := range all(text, turned) {
		p, _ := resolve(dir, text[at[2]:at[3]])
		switch {
		case compares.MatchString(text[max(0, at[0]-near):at[0]]), compared.MatchString(text[at[1]:]):
			f.Read = append(f.Read, p)
		case !loses:
		case p == "":
			f.Metadata = true
		default:
			f.Turned = append(f.Turned, p)
		}
	}
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

// read notes what is read of what follows a reader: also what is added to that, within as many
// brackets as it opens, and open more; spares says that none of it is code.
func (f *Facts) read(dir, after string, open int, spares bool) {
	m := readArgument.FindStringSubmatch(after)
	if m == nil {
		f.Reads, f.Text = true, f.Text || !spares
		return
	}
	p, under := resolve(dir, m[2])
	after = after[len(m[0]):]
	brackets := strings.Count(m[1], "(") + open
	more := added.FindStringSubmatch(after)
	switch next := strings.TrimLeft(after, " \t\n"); {
	case under || goesOn.MatchString(after) || more != nil && strings.Count(more[1], ")") < brackets:
	case strings.Contains(m[0], `"${`) && !strings.HasPrefix(next, "}"),
		brackets > 0 && next != "" && !strings.ContainsAny(next[:1], ");}"): // into what is not clear
		f.Reads, f.Text = true, f.Text || !spares
	default:
		f.Read = append(f.Read, p)
		return
	}
	if f.Begun = append(f.Begun, p); !spares {
		f.Code = append(f.Code, p)
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

// leadsUp reports whether a text has a ".." in what is no path literal: where it leads depends
// on what it is put after.
func leadsUp(text string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], "..")
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+2
		for end < len(text) && text[end] == '.' {
			end++
		}
		from = end
		if end-start > 2 || end < len(text) && inName(text[end]) {
			continue
		}
		for start > 0 && (inName(text[start-1]) || text[start-1] == '.' || text[start-1] == '/') {
			start--
		}
		if (text[start] == '/' || start > 0 && strings.IndexByte("\"'}", text[start-1]) >= 0) && !goesUpElsewhere.MatchString(text[start:]) {
			return true
		}
	}
}

// inName reports whether a byte may be in a path, besides dots and slashes.
func inName(c byte) bool {
	return c == '_' || c == '+' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// handsOnSelf reports whether code of an input is given the flake in a call. What that does with
// revision and hash, derivations show.
func handsOnSelf(text string) bool {
	return slices.ContainsFunc(all(text, self), func(at []int) bool {
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

// covers reports whether a list of directories and files holds a path or one
// above it.
func covers(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return p == "" || p == name || strings.HasPrefix(name, p) && name[len(p)] == '/'
	})
}

// begins reports whether a path goes on from one of a list, in its name or below.
func begins(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(name, p) })
}

// mentions reports whether the file mentions a path: itself, or one above it, or the
// beginning of its name, which a string may complete.
func (f Facts) mentions(name string) (exactly, above bool) {
	return slices.Contains(f.Paths, name), begins(f.Paths, name) || covers(f.Under, name)
}
