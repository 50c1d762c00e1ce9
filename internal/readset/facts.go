package readset

import (
	"path"
	"regexp"
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

var (
	// A path literal of Nix holds a slash, after which there may be an
	// interpolation; what follows that is left out, as are absolute ones.
	pathLiteral = regexp.MustCompile(`[A-Za-z0-9._+-]+(?:/[A-Za-z0-9._+-]+)*/?(?:\$\{)?`)

	// Every builtin has a second name that begins with "__".

	// What observes contents, or makes a copy forget where it came from.
	reader = regexp.MustCompile(`\b(?:__)?(readFile|fileContents|(?:read|import|load)(?i:JSON|TOML|YAML)|readPathsFromFile|hashFile|hashString|convertHash|scopedImport|getContext|unsafeDiscardStringContext|unsafeDiscardOutputDependency|unsafeDiscardReferences)\b|(?:\bbuiltins\s*\.\s*|__)(?:narHash|wasm)\b|\bmatchers\s*[.;]`) // the last are haumea's
	// What is given to much used code of inputs that reads parts of it, or of what is below: to
	// nixos-facter, importNpmLock, uv2nix, pyproject.nix, poetry2nix and stylix.
	given = regexp.MustCompile(`\b(reportPath|npmRoot|workspaceRoot|projectRoot|projectDir|base16Scheme)\s*=`)
	// The same of base16.nix, under a name that may mean anything: only a path literal counts.
	scheme = regexp.MustCompile(`\bscheme\s*=`)
	// What precedes a reader that is applied to what follows it, and not itself an argument.
	// (After "x.y or" it is one of whatever is before that.) A comment's end without its beginning
	// tells nothing.
	applies = regexp.MustCompile(`(?:[({=:;,+*/<>&|!?#-]|\b(?:if|then|else|in|assert|with))` + qualified)
	closes  = regexp.MustCompile(`\*/` + qualified)
	// A line that is a comment (or of a string, whose end is then closer to the reader), and
	// what may be a comment or begin within a string.
	commentLine = regexp.MustCompile(`(?m)^[ \t]*#.*\n`)
	comment     = regexp.MustCompile(`(?s)#[^\n]*\n|/\*.*?\*/`)
	// What binds a reader to its own name, in no set that it may be taken out of.
	binds = regexp.MustCompile(`\n[^#\n]*\blet\b[^{}#]*\binherit\s*\([^()]*\)[\sA-Za-z0-9_'-]*$`)
	// A reader's argument that is a path literal; and, after it, what is added to it, or goes on
	// in the string.
	readArgument = regexp.MustCompile(`^(?:\s*"[a-z0-9]+")?([\s(]*)(?:"\$\{\s*)?((?:\.{1,2}/)[A-Za-z0-9._+/-]*(?:\$\{)?)`)
	added        = regexp.MustCompile(`^([\s)]*)\+`)
	goesOn       = regexp.MustCompile(`^\s*\}[^"]`)
	// A path literal that is copied for a text; what may lose where a text comes from; and what
	// precedes or follows one that is compared.
	turned   = regexp.MustCompile(`\$\{\s*((?:\.{1,2}/)[A-Za-z0-9._+/-]*(?:\$\{)?)`)
	forgets  = regexp.MustCompile(`\b(?:__)?(?:match|split|sanitizeDerivationName)\b`)
	compares = regexp.MustCompile(`[=!]=\s*"$`)
	compared = regexp.MustCompile(`^\s*\}"\s*[=!]=`)
	absolute = regexp.MustCompile(`^\s*"[/~]`)

	// What Nix says of the source tree as a whole, as attributes and otherwise.
	metadataAttr = regexp.MustCompile(`\b(rev|shortRev|dirtyRev|dirtyShortRev|revCount|lastModified|lastModifiedDate|narHash|sourceInfo|outPath)\b`)
	metadata     = regexp.MustCompile(`\b(?:__)?(curPos|unsafeGetAttrPos|fetchGit|fetchTree|fetchMercurial|getFlake)\b|\bself\s*\.\s*\$|\bself\s*\?`)
	dates        = regexp.MustCompile(`\b(lastModified|lastModifiedDate|revCount|sourceInfo)\b|\bself\s*\.\s*\$`)
	binding      = regexp.MustCompile(`^\s*=[^=]`)
	isAsked      = regexp.MustCompile(`\?\s*outPath$`) // which everything has that can be built
	// The place of an input is the tree's only if that is part of the tree.
	ofInput = regexp.MustCompile(`\binputs\s*\.\s*[A-Za-z_][A-Za-z0-9_'-]*\s*\.\s*outPath$`)
	ofSelf  = regexp.MustCompile(`\binputs\s*\.\s*self\s*\.\s*outPath$`)
	// What names a part of the place: the tree's root taken for a name, or a place as a text.
	rootName = regexp.MustCompile(`\bbaseNameOf[\s(]*((?:\.{1,2}/)[A-Za-z0-9._+/-]*)`)
	partText = regexp.MustCompile(`\b(?:substring|match|split)\b[^;]{0,80}\btoString\b|\btoString\b[^;]{0,80}\b(?:substring|match|split)\b`)
	// So may a builtin whose name is put together.
	evades = regexp.MustCompile(`\b(?:__)?(getFlake|callFlake)\b|\bbuiltins\s*\.\s*(?:\$|"[^"]*\$)|\b(?:__)?(?:getAttr|attrValues|mapAttrs|attrByPath|getAttrFromPath|attrVals)\b[^;]*\bbuiltins\b\s*(?:[^\s.]|$)`)

	// What turns a path into another above it, or makes one out of a string.
	climbs = regexp.MustCompile(`\binherit\s*\([^()]*\bself\b[^()]*\)[^;]*\b(outPath|sourceInfo)\b|\b(?:__)?(dirOf|curPos|unsafeGetAttrPos|toPath|locateDominatingFile|splitRoot|splitStorePath)\b|(?:^|[\s(\[=])/\.\s*\+|\btoString\b[^;]{0,80}\b` + takesApart + `|\b` + takesApart + `[^;]{0,80}\btoString\b`)

	// clan-core, which is given the flake by flake-parts too, and reads what it generates, the
	// inventory and the machines' hardware reports below it.
	clan = regexp.MustCompile(`\bclan-core\b|\bclan(?:Lib|Modules)\b`)
	// nix-gitignore of nixpkgs, and gitignore.nix.
	ignores = regexp.MustCompile(`(?i)gitignore(?:\.lib\b|-?(?:Source|Filter|Recursive|Compile|NixOS)|File)|\bnix-gitignore\b`)
	// What looks at less than all of a text.
	apart = regexp.MustCompile(`\b(?:__)?(?:match|split|splitString|substring|stringToCharacters|hasInfix)\b`)

	// A ".." of a shell: the name of an alias (".." = "cd ..";), or before a variable.
	goesUpElsewhere = regexp.MustCompile(`^[./]+"\s*=[^=]|^[A-Za-z0-9._+/-]+\$(?:[^{]|$)`)

	self = regexp.MustCompile(`\bself\b`)
	// What follows self where it is no path: an attribute that is none, or what only follows the
	// name of an argument. What follows that in a list of arguments may follow a path as well
	// ("${toString self}", { root ? self }:), so there what is before it counts too (a "#" is that
	// of a comment). And what precedes it in an inherit.
	selfAttr    = regexp.MustCompile(`^\s*[.?]\s*[A-Za-z_][A-Za-z0-9_'-]*`)
	selfPlace   = regexp.MustCompile(`^\s*[.?]\s*(?:outPath|sourceInfo|self|original)\b`)
	selfFormal  = regexp.MustCompile(`^\s*[?:@]`)
	selfListed  = regexp.MustCompile(`^\s*[,}]`)
	listed      = regexp.MustCompile(`[({,#]\s*$`)
	selfInherit = regexp.MustCompile(`\binherit\s*(\(\s*|(\([^()]*\))?[\sA-Za-z0-9_'-]*)$`)
	// Code of inputs that is given the flake, which may hand on paths in it: clan-core.lib.clan { inherit self; }.
	selfGiven = regexp.MustCompile(`(?:^|[\s(=])[A-Za-z_][A-Za-z0-9_'-]*(?:\.[A-Za-z_][A-Za-z0-9_'-]*)+\s*\{(?:[^{}]*;)?\s*inherit(?:\s*\([^()]*\))?[\sA-Za-z0-9_'-]*$`)
	// Inputs that are not named, of which it is one.
	anyInput = regexp.MustCompile(`\binputs\s*\.\s*(?:\$|"[^"]*\$)|\b(?:__)?(?:getAttr|attrValues|\w*[mM]apAttrs\w*|filterAttrs|attrByPath|getAttrFromPath|attrVals)\b[^;]*\binputs\b\s*(?:[^\s.:@,=]|$)`)
	// The flake as an attribute, as in inputs.self, and in a string.
	selfOf = regexp.MustCompile(`(\.|\$\{)\s*$`)
	// The flake, used as a path, under the name that blueprint and many flakes give it to modules by.
	flakePath = regexp.MustCompile(`(?:^|[^A-Za-z0-9_.'-])flake(?:\s*\.\s*outPath)?\s*(?:\}/|\+\s*"?/)`)
	// A longer name, as self' of flake-parts.
	longer = regexp.MustCompile(`^(?:-[A-Za-z0-9]|')`)
)

// qualified is what may stand between what precedes a function and its name: the set it is taken
// out of.
const qualified = `\s*(?:[A-Za-z_][A-Za-z0-9_'-]*\s*\.\s*)*$`

// near is how far back a name's context is looked at, in bytes.
const near = 200

// takesApart is what makes another path of a path's text, and little else.
const takesApart = `(?:replaceStrings\s*\[\s*"[^"]*[./][^"]*"|splitString\s*"/"|removeSuffix\b)`

// Scan finds the facts of a Nix file from its text; name is its path in the tree, from which
// relative paths in it are resolved. Any text will do: there are no errors.
func Scan(name, text string) Facts {
	var f Facts
	dir := path.Dir(name)
	for _, at := range pathLiteral.FindAllStringIndex(text, -1) {
		literal := text[at[0]:at[1]]
		if rest := at[0] > 0 && text[at[0]-1] == '/'; !rest && strings.Contains(literal, "/") {
			f.mention(dir, literal)
		}
	}
	for _, at := range reader.FindAllStringIndex(text, -1) {
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
	for _, at := range given.FindAllStringSubmatchIndex(text, -1) {
		if rest := text[at[1]:]; !strings.HasPrefix(rest, "=") && !absolute.MatchString(rest) {
			f.read(dir, rest, 1, sparesCode(text[at[2]:at[3]], "", rest, true))
		}
	}
	for _, at := range scheme.FindAllStringIndex(text, -1) {
		if rest := text[at[1]:]; readArgument.MatchString(rest) {
			f.read(dir, rest, 1, true)
		}
	}
	f.Parts, f.Ignores = clan.MatchString(text), ignores.MatchString(text)
	f.Apart = apart.MatchString(text) || f.Text && strings.Contains(text, "hasPrefix")
	flake := namesSelf(text)
	f.Climbs = climbs.MatchString(text) || leadsUp(text)
	if f.Climbs || f.Parts || flake || handsOnSelf(text) || f.Reads && anyInput.MatchString(text) {
		f.Under = append(f.Under, "")
	}
	f.Metadata = flake || metadata.MatchString(text) || partText.MatchString(text)
	f.turn(dir, text)
	for _, m := range rootName.FindAllStringSubmatch(text, -1) {
		p, _ := resolve(dir, m[1])
		f.Metadata = f.Metadata || p == ""
	}
	f.Strings = strings.Contains(text, "toString")
	for _, at := range metadataAttr.FindAllStringIndex(text, -1) {
		switch named := text[max(0, at[0]-near):at[1]]; {
		case binding.MatchString(text[at[1]:]), isAsked.MatchString(named):
		case ofInput.MatchString(named) && !ofSelf.MatchString(named):
			f.Strings = true
		default:
			f.Metadata = true
		}
	}
	f.Dates = dates.MatchString(text)
	f.Evades = evades.MatchString(text)
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
	all := forgets.MatchString(text)
	for _, at := range turned.FindAllStringSubmatchIndex(text, -1) {
		p, _ := resolve(dir, text[at[2]:at[3]])
		switch {
		case compares.MatchString(text[max(0, at[0]-near):at[0]]), compared.MatchString(text[at[1]:]):
			f.Read = append(f.Read, p)
		case !all:
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
	return slices.ContainsFunc(self.FindAllStringIndex(text, -1), func(at []int) bool {
		return selfGiven.MatchString(text[max(0, at[0]-near):at[0]])
	})
}

// namesSelf reports whether the flake may be used as a path.
func namesSelf(text string) bool {
	for _, at := range self.FindAllStringIndex(text, -1) {
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
	return flakePath.MatchString(text)
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
