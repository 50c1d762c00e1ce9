package readset

import (
	"regexp"
	"strings"
)

var (
	// Readers that make nothing of code.
	onlyData = regexp.MustCompile(`^(?:reportPath|(?:read|import|load)(?i:JSON|TOML))$`)
	// What takes what is read, before a reader and after it in a pipe.
	parsed   = regexp.MustCompile(`\bfrom(?:JSON|TOML)\s*\(` + qualified)
	parses   = regexp.MustCompile(`^\s*(?:\|>\s*)?(?:[A-Za-z_][A-Za-z0-9_'-]*\s*\.\s*)*from(?:JSON|TOML)\b`)
	inherits = regexp.MustCompile(`\binherit\b[^;]*$`)
	// Readers of contents as they are; a copy, or a hash, is of all below.
	asText = regexp.MustCompile(`^(?:readFile|fileContents|(?:read|import|load)(?i:YAML))$`)
	// What makes the end of an expression not its value's.
	branches = regexp.MustCompile(`\b(?:if|else)\b|\|>|<\||//|->|==|!=|:\s`)
)

// sparesCode reports whether a reader reads no file whose name ends in .nix, or makes
// nothing of one that is code, given what it stands between.
func sparesCode(reader, before, after string, applied bool) bool {
	switch {
	case onlyData.MatchString(reader):
		return true
	case !asText.MatchString(reader):
		return false
	case parsed.MatchString(before), parses.MatchString(after) && !inherits.MatchString(before):
		return true
	}
	return applied && endsOtherwise(after[:min(len(after), 500)])
}

// endsOtherwise reports whether what begins with an argument shows that this ends in what no
// name of code does: in a text that settles the last part of the name.
func endsOtherwise(text string) bool {
	text = strings.TrimLeft(text, " \t\n")
	if strings.HasPrefix(text, "(") {
		inner, _, ok := enclosed(text[1:], ')')
		if !ok || branches.MatchString(inner) {
			return false
		}
		i := lastSum(inner)
		if i < 0 {
			return endsOtherwise(inner)
		}
		end, rest, ok := tail(strings.TrimSpace(inner[i:]))
		return ok && rest == "" && settles(end)
	}
	end, _, ok := tail(text)
	return ok && settles(end)
}

func settles(end string) bool {
	base := end[strings.LastIndexByte(end, '/')+1:]
	return strings.ContainsAny(end, "./") && !strings.Contains(base, `\`) && strings.Trim(base, ".") != "" && !strings.HasSuffix(base, ".nix")
}

// tail returns what a string, or a path literal, that a text begins with has after its last
// interpolation, and what follows it.
func tail(text string) (end, rest string, ok bool) {
	quoted := strings.HasPrefix(text, `"`)
	if !quoted && !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "../") {
		return "", "", false
	}
	from := 0
	if quoted {
		from = 1
	}
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "${"):
			_, after, ok := enclosed(text[i+2:], '}')
			if !ok {
				return "", "", false
			}
			from = len(text) - len(after)
			i = from - 1
		case quoted && c == '\\':
			i++
		case quoted && c == '"':
			return text[from:i], text[i+1:], true
		case !quoted && !inName(c) && c != '.' && c != '/':
			return text[from:i], text[i:], true
		}
	}
	return text[from:], "", !quoted
}

// enclosed returns what comes before the bracket that closes what is open, and after it.
func enclosed(text string, closing byte) (inner, after string, ok bool) {
	open := []byte{closing}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '(':
			open = append(open, ')')
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case ')', '}', ']':
			if open[len(open)-1] != c {
				return "", "", false
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				return text[:i], text[i+1:], true
			}
		case '"':
			_, rest, ok := tail(text[i:])
			if !ok {
				return "", "", false
			}
			i = len(text) - len(rest) - 1
		case '#', '\'', '*': // a comment, or a string of several lines
			return "", "", false
		}
	}
	return "", "", false
}

// lastSum is where the last operand of a sum begins, -1 if a text is none.
func lastSum(text string) int {
	last := -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '(', '{', '[':
			_, rest, ok := enclosed(text[i+1:], map[byte]byte{'(': ')', '{': '}', '[': ']'}[c])
			if !ok {
				return -1
			}
			i = len(text) - len(rest) - 1
		case '"':
			_, rest, ok := tail(text[i:])
			if !ok {
				return -1
			}
			i = len(text) - len(rest) - 1
		case '+':
			if i > 0 && (inName(text[i-1]) || text[i-1] == '.') && i+1 < len(text) && inName(text[i+1]) {
				continue // in a name
			}
			last = i + 1
		}
	}
	return last
}
