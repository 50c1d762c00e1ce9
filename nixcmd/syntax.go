package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// SyntaxError is what is wrong with one file.
type SyntaxError struct {
	// File is the file, as it was given.
	File string
	// Line and Column count from 1; 0 means the file as a whole, as when it
	// cannot be read.
	Line, Column int
	// Message is Nix's, without colours and position.
	Message string
}

// Error gives file, line, column and message on one line.
func (e SyntaxError) Error() string {
	if e.Line == 0 {
		return oneLine(e.File, e.Message)
	}
	return oneLine(fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column), e.Message)
}

// CheckSyntax parses Nix files, several per process and one process per core,
// and returns the first thing that is wrong with each, in the order of the
// files: syntax, variables that nobody binds, attributes bound twice. Nothing
// is evaluated. Relative names are below Config.Dir. Errors are those of
// Version, and *Error if Nix cannot parse at all.
func (c *Client) CheckSyntax(ctx context.Context, files []string) ([]SyntaxError, error) {
	if len(files) == 0 {
		return nil, nil
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var all []SyntaxError
	order := make(map[string]int, len(files))
	readable := make([]source, 0, len(files))
	for i, name := range files {
		order[name] = i
		f, err := c.open(name)
		if err != nil {
			all = append(all, SyntaxError{File: name, Message: err.Error()})
			continue
		}
		readable = append(readable, f)
	}

	// Few enough for a command line, enough of them to keep all cores busy.
	const most = 200
	workers := runtime.NumCPU()
	size := min(most, len(readable)/(2*workers)+1)
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for batch := range slices.Chunk(readable, size) {
		g.Go(func() error {
			bad, err := c.parse(ctx, batch)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, bad...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b SyntaxError) int { return order[a.File] - order[b.File] })
	return all, nil
}

// source is a file: as it was given, and as Nix is told and repeats it.
type source struct{ name, path string }

// open makes sure that a file can be read, so that what Nix says about no
// position is about Nix.
func (c *Client) open(name string) (source, error) {
	path := name
	if !filepath.IsAbs(path) {
		var err error
		if path, err = filepath.Abs(filepath.Join(c.cfg.Dir, name)); err != nil {
			return source{}, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return source{}, err
	}
	return source{name, path}, f.Close()
}

// parse finds all files of a batch that Nix refuses. Nix stops at the first and
// names it, so that those before it are good and those after it remain; if it
// names another, through a symlink, halves of the batch are tried.
func (c *Client) parse(ctx context.Context, batch []source) ([]SyntaxError, error) {
	var bad []SyntaxError
	for len(batch) > 0 {
		var found *SyntaxError
		err := untilFree(ctx, func() (err error) {
			found, err = c.parseOnce(ctx, batch)
			return err
		})
		if err != nil || found == nil {
			return bad, err
		}
		at := slices.IndexFunc(batch, func(f source) bool { return f.path == found.File })
		switch {
		case at < 0 && len(batch) > 1:
			half := len(batch) / 2
			first, err := c.parse(ctx, batch[:half])
			if err != nil {
				return nil, err
			}
			bad, batch = append(bad, first...), batch[half:]
			continue
		case at < 0:
			at = 0
		}
		found.File = batch[at].name
		bad, batch = append(bad, *found), batch[at+1:]
	}
	return bad, nil
}

// parseOnce returns the first complaint, or nil if there is none.
func (c *Client) parseOnce(ctx context.Context, batch []source) (*SyntaxError, error) {
	log := &evalLog{}
	argv := c.cfg.parseArgs(batch)
	_, err := c.run(ctx, "parse Nix files", proc.Cmd{Argv: argv, Stderr: log.line, DiscardStdout: true})
	var e *Error
	if !errors.As(err, &e) {
		return nil, err
	}
	e.Stderr = log.human.String()
	if e.Err != nil || log.failure == nil {
		return nil, e
	}
	found := &SyntaxError{Message: log.failure.message()}
	found.File, found.Line, found.Column = position(log.failure.file, log.failure.line, log.failure.col)
	if found.Line == 0 {
		return nil, e
	}
	return found, nil
}

// parseArgs is the command that parses files. All paths are absolute: none can
// pass for an option or for a name in NIX_PATH.
func (cfg Config) parseArgs(batch []source) []string {
	argv := []string{cfg.tool("nix-instantiate")}
	for _, o := range cfg.Options {
		argv = append(argv, "--option", o.Name, o.Value)
	}
	argv = append(argv, "--log-format", "internal-json", "--parse")
	for _, f := range batch {
		argv = append(argv, f.path)
	}
	return argv
}
