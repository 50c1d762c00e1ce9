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
	case metadataAttr:
		return []string{"rev", "Rev", "lastModified", "narHash", "sourceInfo", "outPath"}
	case metadata:
		return []string{"curPos", "unsafeGetAttrPos", "fetchGit", "fetchTree", "fetchMercurial", "getFlake", "self"}
	case dates:
		return []string{"lastModified", "revCount", "sourceInfo", "self"}
	case partText:
		return []string{"toString"}
	case hashes:
		return []string{"hashString", "convertHash"}
	case climbs:
		return []string{"dirOf", "toPath", "locateDominatingFile", "splitRoot", "splitStorePath", `"/..`}
	case clan:
		return []string{"clan"}
	case self:
		return []string{"self"}
	case literalText:
		return []string{"toString", "toXML"}
	case altered:
		return []string{"substring", "match", "split", "stringToCharacters", "replaceStrings", "stringLength"}
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

	// A line that is a comment (or of a string), and
	// what may be a comment or begin within a string.
	commentLine = regexp.MustCompile(`(?m)^[ \t]*#.*\n`)
	comment     = regexp.MustCompile(`(?s)#[^\n]*\n|/\*.*?\*/`)
	// What a path literal goes on with, from its last byte, if something below it is meant: ./. + "/x", and ./${x}.
	goesOn = regexp.MustCompile(`^(?:.\s*\)*\s*\+\s*"/\.?[A-Za-z0-9_-]|\{)`)

	// What Nix says of the source tree as a whole, as attributes and otherwise.
	metadataAttr = regexp.MustCompile(`\b(rev|shortRev|dirtyRev|dirtyShortRev|revCount|lastModified|lastModifiedDate|narHash|sourceInfo|outPath)\b`)
	metadata     = regexp.MustCompile(`\b(?:__)?(curPos|unsafeGetAttrPos|fetchGit|fetchTree|fetchMercurial|getFlake)\b|\bself\s*\.\s*\$|\bself\s*\?`)
	dates        = regexp.MustCompile(`\b(lastModified|lastModifiedDate|revCount|sourceInfo)\b|\bself\s*\.\s*\$`)
	binding      = regexp.MustCompile(`^\s*=[^=]`)
	isAsked      = regexp.MustCompile(`\?\s*outPath$`) // which everything has that can be built
	// The place of an input is the tree's only if that is part of the tree.
	ofInput = regexp.MustCompile(`\binputs\s*\.\s*[A-Za-z_][A-Za-z0-9_'-]*\s*\.\s*outPath$`)
	ofSelf  = regexp.MustCompile(`\binputs\s*\.\s*self\s*\.\s*outPath$`)
	// What makes a part of a place, as a text.
	partText = regexp.MustCompile(`\b` + cuts + `\b[^;]{0,80}\btoString\b|\btoString\b[^;]{0,80}\b` + cuts + `\b`)
	// The text of a place, and what makes another of one.
	literalText = regexp.MustCompile(`\bto(?:String|XML)[\s(]*\.{1,2}/`)
	altered     = regexp.MustCompile(`\b(?:__)?(?:` + cuts + `|replaceStrings|stringLength)\b`)
	// What makes a text forget the place that is in it.
	hashes = regexp.MustCompile(`\b(?:__)?(?:hashString|convertHash)\b`)
	// What turns a path into another above it, or makes one out of a string.
	climbs = regexp.MustCompile(`\b(?:__)?(?:dirOf|toPath|locateDominatingFile|splitRoot|splitStorePath)\b|\+\s*"/\.\.`)

	// clan-core, which is given the flake by flake-parts too.
	clan = regexp.MustCompile(`\bclan-core\b|\bclan(?:Lib|Modules)\b`)
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
	anyInput = regexp.MustCompile(`\binputs\s*\.\s*(?:\$|"[^"]*\$)|\b(?:__)?(?:getAttr|attrValues|\w*[mM]apAttrs\w*|filterAttrs|attrByPath|getAttrFromPath|attrVals|toJSON|toXML|toString)\b[^;]*\binputs\b\s*(?:[^\s.:@,=]|$)`)
	// The flake as an attribute, as in inputs.self, and in a string.
	selfOf = regexp.MustCompile(`(\.|\$\{)\s*$`)
	// The flake, used as a path, under the name that blueprint and many flakes give it to modules by.
	flakePath = regexp.MustCompile(`(?:^|[^A-Za-z0-9_.'-])flake(?:\s*\.\s*outPath)?\s*(?:\}/|\+\s*"?/)`)
	// A longer name, as self' of flake-parts.
	longer = regexp.MustCompile(`^(?:-[A-Za-z0-9]|')`)
)

// near is how far back a name's context is looked at, in bytes.
const near = 200

// cuts is what makes parts of a text.
const cuts = `(?:substring|match|split|splitString|stringToCharacters)`
