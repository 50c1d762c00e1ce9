package sshpool

import "strings"

// Quote joins words into one line of shell text that a POSIX shell splits into
// exactly these words again, for any bytes but NUL, which no argument can hold.
// A backslash is kept outside the single quotes, where fish(1) reads it the way
// POSIX does too; csh is not supported.
func Quote(argv ...string) string {
	var b strings.Builder
	for i, word := range argv {
		if i > 0 {
			b.WriteByte(' ')
		}
		quoteWord(&b, word)
	}
	return b.String()
}

func quoteWord(b *strings.Builder, word string) {
	if isPlain(word) {
		b.WriteString(word)
		return
	}
	b.WriteByte('\'')
	for i := range len(word) {
		switch c := word[i]; c {
		case '\'', '\\':
			b.WriteString(`'\`)
			b.WriteByte(c)
			b.WriteByte('\'')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
}

// isPlain reports whether no shell gives any character of word a meaning. The
// equals sign is left out: it would make a first word an assignment.
func isPlain(word string) bool {
	for i := range len(word) {
		c := word[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alnum && strings.IndexByte("_@+:,./-", c) < 0 {
			return false
		}
	}
	return word != ""
}
