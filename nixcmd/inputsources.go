package nixcmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// InputSources finds the sources that derivations are built from: paths that
// were copied to the store when they were evaluated. It reads the derivations'
// files and starts no process. The zero value is ready to use, concurrently; it
// remembers what it read.
type InputSources struct {
	// Texts are looked for in the derivations, and in their sources that are files, as
	// builtins.toFile writes them; none is empty. They are not to be changed once Of was
	// called.
	Texts []string

	mu    sync.Mutex
	known map[StorePath]inputs
	files map[StorePath][]string // sources, and those of Texts in each
}

// inputs are what a derivation needs.
type inputs struct {
	derivations, sources []StorePath
	holds                []string // of InputSources.Texts
}

// Of returns the sources of a derivation and of all that it needs, and those of Texts
// that one of the derivations holds, or one of the sources that are files of at most
// 16 MiB; both in no order, each once. It is an error if one of them cannot be read, as
// in a store that is not this machine's.
func (s *InputSources) Of(ctx context.Context, drv StorePath) (sources []StorePath, holds []string, err error) {
	_, sources, holds, err = s.walk(ctx, drv)
	return sources, holds, err
}

// Needs returns a derivation, all derivations that it needs, and the sources of
// all of them, in no order, each once. Errors are those of Of.
func (s *InputSources) Needs(ctx context.Context, drv StorePath) ([]StorePath, error) {
	derivations, sources, _, err := s.walk(ctx, drv)
	return append(derivations, sources...), err
}

func (s *InputSources) walk(ctx context.Context, drv StorePath) (derivations, sources []StorePath, holds []string, err error) {
	seen := map[StorePath]bool{drv: true}
	for todo := []StorePath{drv}; len(todo) > 0; {
		if ctx.Err() != nil {
			return nil, nil, nil, context.Cause(ctx)
		}
		d := todo[len(todo)-1]
		in, err := s.inputs(d)
		if err != nil {
			return nil, nil, nil, err
		}
		add := func(texts []string) {
			for _, t := range texts {
				if !slices.Contains(holds, t) {
					holds = append(holds, t)
				}
			}
		}
		add(in.holds)
		todo, derivations = todo[:len(todo)-1], append(derivations, d)
		for _, d := range in.derivations {
			if !seen[d] {
				seen[d] = true
				todo = append(todo, d)
			}
		}
		for _, p := range in.sources {
			if !seen[p] {
				seen[p] = true
				sources = append(sources, p)
				texts, err := s.inFile(p)
				if err != nil {
					return nil, nil, nil, err
				}
				add(texts)
			}
		}
	}
	return derivations, sources, holds, nil
}

func (s *InputSources) inputs(drv StorePath) (inputs, error) {
	s.mu.Lock()
	in, ok := s.known[drv]
	s.mu.Unlock()
	if ok {
		return in, nil
	}
	text, err := os.ReadFile(string(drv))
	if err != nil {
		return in, err
	}
	if in, err = parseInputs(string(text)); err != nil {
		return in, fmt.Errorf("%s: %w", drv, err)
	}
	in.holds = s.in(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[StorePath]inputs{}
	}
	s.known[drv] = in
	return in, nil
}

// in returns those of Texts that are in a text.
func (s *InputSources) in(text []byte) (found []string) {
	for _, t := range s.Texts {
		if bytes.Contains(text, []byte(t)) {
			found = append(found, t)
		}
	}
	return found
}

// most is how large a source is, in bytes, that is searched: expressions write small ones.
const most = 16 << 20

// inFile returns those of Texts that are in a source, if that is a file.
func (s *InputSources) inFile(source StorePath) ([]string, error) {
	if len(s.Texts) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	found, ok := s.files[source]
	s.mu.Unlock()
	if ok {
		return found, nil
	}
	info, err := os.Lstat(string(source))
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Size() <= most {
		text, err := os.ReadFile(string(source))
		if err != nil {
			return nil, err
		}
		found = s.in(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[StorePath][]string{}
	}
	s.files[source] = found
	return found, nil
}

// parseInputs reads the second and third field of a derivation (Nix manual,
// "Derivation", "ATerm format"):
// Derive([outputs…],[("DRV",["out",…]),…],["SOURCE",…],…).
func parseInputs(text string) (inputs, error) {
	var in inputs
	field, depth := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 1 {
				field++
			}
			if field > 2 {
				return in, nil
			}
		case '"':
			begin := i + 1
			for i = begin; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return in, fmt.Errorf("not a derivation: it ends within a string")
			}
			first := depth == 3 && begin >= 2 && text[begin-2] == '(' // not an output's name
			if field == 1 && !first || field < 1 || field > 2 {
				continue
			}
			p, err := ParseStorePath(strings.Clone(text[begin:i]))
			if err != nil {
				return in, err
			}
			if field == 1 {
				in.derivations = append(in.derivations, p)
			} else {
				in.sources = append(in.sources, p)
			}
		}
	}
	return in, fmt.Errorf("not a derivation: it has %d fields", field)
}
