package fleet

import (
	"errors"
	"strings"
)

// answer is what a remote script said: "key value" lines, closed by "end".
type answer struct {
	values map[string]string
	end    string
}

// errCutShort says that a script's answer has no end: the connection or the
// script died.
var errCutShort = errors.New("the host's answer was cut short")

// parseAnswer reads a script's output. Keys that are unknown or repeated are
// kept as they come, the last value of each.
func parseAnswer(text string) (answer, error) {
	a := answer{values: map[string]string{}}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if key == "end" {
			a.end = value
			return a, nil
		}
		a.values[key] = strings.TrimSpace(value)
	}
	return a, errCutShort
}
