package fleet

import (
	"fmt"
	"strings"
	"time"
)

// reader collects what is wrong with the sections of fleet.toml.
type reader struct {
	path string
	keys *tomlKeys
	errs []error
}

// bad notes a problem at a key.
func (r *reader) bad(problem, help string, key ...string) {
	r.errs = append(r.errs, &ConfigError{File: r.path, Line: r.keys.line(key...), Problem: problem, Help: help})
}

// above0 reads a duration, which must be above 0 if it is there.
func (r *reader) above0(text duration, key ...string) time.Duration {
	if r.keys.line(key...) == 0 {
		return 0
	}
	d, err := time.ParseDuration(string(text))
	switch name := strings.Join(key, "."); {
	case err != nil:
		r.bad(fmt.Sprintf("%s: %q is not a duration", name, text), `write it as "10s" or "5m"`, key...)
	case d <= 0:
		r.bad(fmt.Sprintf("%s is %s", name, text), "use a duration above 0, or leave it out", key...)
	default:
		return d
	}
	return 0
}

// position is where a key stands; nowhere if it is not there.
func (r *reader) position(name string, key ...string) position {
	line := r.keys.line(key...)
	if line == 0 {
		return position{}
	}
	return position{r.path, line, name}
}
