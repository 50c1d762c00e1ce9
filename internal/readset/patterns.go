package readset

import (
	"regexp"
	"slices"
	"strings"
)

// mayMatch reports whether a text has one of the words without which a pattern matches
// nothing: looking for those takes a small part of the time.
func mayMatch(p *regexp.Regexp, text string) bool {
	return slices.ContainsFunc(wordsOf(p), func(word string) bool { return strings.Contains(text, word) })
}

// in reports whether a pattern matches in a text.
func in(text string, p *regexp.Regexp) bool { return mayMatch(p, text) && p.MatchString(text) }

// all are the places of a text where a pattern matches, with those of its groups.
func all(text string, p *regexp.Regexp) [][]int {
	if !mayMatch(p, text) {
		return nil
	}
	return p.FindAllStringSubmatchIndex(text, -1)
}

// wordsOf are the words of which a text that a pattern matches in has one.
func wordsOf(p *regexp.Regexp) []string {
	switch p {
	case pathLiteral:
		return []string{"/"}
	case reader:
		return []string{"readFile", "fileContents", "JSON", "Json", "json", "TOML", "Toml", "toml", "YAML", "Yaml", "yaml", "readPathsFromFile", "hashFile", "hashString", "convertHash", "scopedImport", "getContext", "unsafeDiscard", "narHash", "wasm", "matchers"}
	case given:
		return []string{"reportPath", "npmRoot", "workspaceRoot", "projectRoot", "projectDir", "base16Scheme"}
	case scheme:
		return []string{"scheme"}
	case turned:
		return []string{"${"}
	case forgets:
		return []string{"match", "split", "sanitizeDerivationName"}
	case metadataAttr:
		return []string{"rev", "Rev", "lastModified", "narHash", "sourceInfo", "outPath"}
	case metadata:
		return []string{"curPos", "unsafeGetAttrPos", "fetchGit", "fetchTree", "fetchMercurial", "getFlake", "self"}
	case dates:
		return []string{"lastModified", "revCount", "sourceInfo", "self"}
	case rootName:
		return []string{"baseNameOf"}
	case partText:
		return []string{"toString"}
	case hides:
		return []string{"hashString", "convertHash"}
	case evades:
		return []string{"getFlake", "callFlake", "builtins"}
	case climbs:
		return []string{"outPath", "sourceInfo", "dirOf", "curPos", "unsafeGetAttrPos", "toPath", "locateDominatingFile", "splitRoot", "splitStorePath", "toString"}
	case fromRoot:
		return []string{"/."}
	case clan:
		return []string{"clan"}
	case ignores:
		return []string{"itignore", "itIgnore"}
	case apart:
		return []string{"match", "split", "substring", "stringLength", "stringToCharacters", "hasInfix", "hasSuffix"}
	case self:
		return []string{"self"}
	case anyInput:
		return []string{"inputs"}
	case flakePath:
		return []string{"flake"}
	}
	return []string{""}
}

var (
	// A path literal of Nix holds a slash, after which there may be an
	// interpolation; what follows that is left out, as are absolute ones.
	pathLiteral = regexp.MustCompile(`[A-Za-z0-9._+-]+(?:/[A-Za-z0-9._+-]+)*/?(?:\$\{)?`)

	// Every builtin has a second name that begins with "__".

	// What observes contents, or makes a copy forget where it came from.
	reader = regexp.MustCompile(`\b(?:__)?(readFile|fileContents|(?:read|import|load)(?:JSON|Json|json|TOML|Toml|toml|YAML|Yaml|yaml)|readPathsFromFile|hashFile|hashString|convertHash|scopedImport|getContext|unsafeDiscardStringContext|unsafeDiscardOutputDependency|unsafeDiscardReferences)\b|(?:\bbuiltins\s*\.\s*|__)(?:narHash|wasm)\b|\bmatchers\s*[.;]`) // the last are haumea's
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
	// What makes a text forget the place that is in it.
	hides = regexp.MustCompile(`\b(?:__)?(?:hashString|convertHash)\b`)
	// So may a builtin whose name is put together.
	evades = regexp.MustCompile(`\b(?:__)?(getFlake|callFlake)\b|\bbuiltins\s*\.\s*(?:\$|"[^"]*\$)|\b(?:__)?(?:getAttr|attrValues|mapAttrs|attrByPath|getAttrFromPath|attrVals)\b[^;]*\bbuiltins\b\s*(?:[^\s.]|$)`)

	// What turns a path into another above it, or makes one out of a string.
	climbs = regexp.MustCompile(`\binherit\s*\([^()]*\bself\b[^()]*\)[^;]*\b(outPath|sourceInfo)\b|\b(?:__)?(dirOf|curPos|unsafeGetAttrPos|toPath|locateDominatingFile|splitRoot|splitStorePath)\b|\btoString\b[^;]{0,80}\b` + takesApart + `|\b` + takesApart + `[^;]{0,80}\btoString\b`)

	// The root of the file system, from which a path goes on.
	fromRoot = regexp.MustCompile(`(?:^|[\s(\[=])/\.\s*\+`)

	// clan-core, which is given the flake by flake-parts too, and reads what it generates, the
	// inventory and the machines' hardware reports below it.
	clan = regexp.MustCompile(`\bclan-core\b|\bclan(?:Lib|Modules)\b`)
	// nix-gitignore of nixpkgs, and gitignore.nix.
	ignores = regexp.MustCompile(`[gG]it[iI]gnore(?:\.lib\b|(?i:-?(?:source|filter|recursive|compile|nixos)|file))|\bnix-gitignore\b`)
	// What looks at less than all of a text.
	apart = regexp.MustCompile(`\b(?:__)?(?:match|split|splitString|substring|stringLength|stringToCharacters|hasInfix|hasSuffix)\b`)

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
