package nixcmd

import "strings"

// plain removes terminal escape sequences (ECMA-48: CSI, OSC and two-byte ones)
// and carriage returns from a text.
func plain(s string) string {
	if strings.IndexByte(s, '\x1b') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\r':
			i++
		case s[i] == '\x1b':
			i += escapeLen(s[i:])
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

// escapeLen is the length of the escape sequence that s starts with. One that
// is not finished ends with the text.
func escapeLen(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']':
		for i := 2; i < len(s); i++ {
			if s[i] == '\a' {
				return i + 1
			}
			if s[i] == '\x1b' {
				return i + min(2, len(s)-i)
			}
		}
		return len(s)
	}
	return 2
}
