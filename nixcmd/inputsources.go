package nixcmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// InputSources finds the sources that derivations are built from: paths that
// were copied to the store when they were evaluated. It reads the derivations'
// files and starts no process. The zero value is ready to use, concurrently; it
// remembers what it read.
type InputSources struct {
	// Texts are looked for in the derivations, and in their sources that are files; none is
	// empty. They are not to be changed once Of was called.
	Texts []string

	mu    sync.Mutex
	known map[StorePath]inputs
	files map[StorePath]file // by the sources that they are
}

// file is what a source that is a file has in it.
type file struct {
	sources []StorePath
	holds   []string
}

// inputs are what a derivation needs.
type inputs struct {
	derivations, sources []StorePath
	holds                []string // of InputSources.Texts
}

// Of returns the sources of a derivation and of all that it needs, and those of Texts
// that one of the derivations holds, or one of the sources that are files of at most
// 16 MiB; both in no order, each once. What such a file names of the store is a source
// too: a derivation that needs a text (builtins.toFile) does not tell what that needs. It
// is an error if one of them cannot be read, as in a store that is not this machine's.
func (s *InputSources) Of(ctx context.Context, drv StorePath) (sources []StorePath, holds []string, err error) {
	_, sources, holds, err = s.walk(ctx, drv, s.file)
	return sources, holds, err
}

// Needs returns a derivation, all derivations that it needs, and the sources of
// all of them, in no order, each once; not what texts among those name. It is an error if
// a derivation cannot be read.
func (s *InputSources) Needs(ctx context.Context, drv StorePath) ([]StorePath, error) {
	// Sources may be missing: none is opened.
	derivations, sources, _, err := s.walk(ctx, drv, func(StorePath) (file, error) { return file{}, nil })
	return append(derivations, sources...), err
}

func (s *InputSources) walk(ctx context.Context, drv StorePath, look func(source StorePath) (file, error)) (derivations, sources []StorePath, holds []string, err error) {
	add := func(texts []string) {
		for _, t := range texts {
			if !slices.Contains(holds, t) {
				holds = append(holds, t)
			}
		}
	}
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
		add(in.holds)
		todo, derivations = todo[:len(todo)-1], append(derivations, d)
		for _, d := range in.derivations {
			if !seen[d] {
				seen[d] = true
				todo = append(todo, d)
			}
		}
		for more := in.sources; len(more) > 0; {
			p := more[len(more)-1]
			if more = more[: len(more)-1 : len(more)-1]; seen[p] {
				continue
			}
			seen[p] = true
			sources = append(sources, p)
			in, err := look(p)
			if err != nil {
				return nil, nil, nil, err
			}
			add(in.holds)
			more = append(more, in.sources...)
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

// largestSearched is how large a source is, in bytes, that is searched: expressions write
// small ones.
const largestSearched = 16 << 20

// file is what a source has in it, if that is a file.
func (s *InputSources) file(source StorePath) (file, error) {
	s.mu.Lock()
	f, ok := s.files[source]
	s.mu.Unlock()
	if ok {
		return f, nil
	}
	info, err := os.Lstat(string(source))
	if err != nil {
		return f, err
	}
	if info.Mode().IsRegular() && info.Size() <= largestSearched {
		text, err := os.ReadFile(string(source))
		if err != nil {
			return f, err
		}
		f = file{sources: namedIn(text, isThere), holds: s.in(text)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[StorePath]file{}
	}
	s.files[source] = f
	return f, nil
}

var storeName = regexp.MustCompile(StoreDir + `/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+`)

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// namedIn are the store paths that a text names and that are there, each once, but for
// derivations: what follows a name in a text may look like more of it.
func namedIn(text []byte, there func(path string) bool) (paths []StorePath) {
	seen := map[string]bool{}
	for _, name := range storeName.FindAll(text, -1) {
		if seen[string(name)] {
			continue
		}
		seen[string(name)] = true
		for shortest := len(StoreDir) + len("/") + 32 + len("-x"); len(name) >= shortest; name = name[:len(name)-1] {
			if !there(string(name)) {
				continue
			}
			if p, err := ParseStorePath(string(name)); err == nil && !strings.HasSuffix(p.Name(), ".drv") && !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
			break
		}
	}
	return paths
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
