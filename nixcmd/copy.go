package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// CopyOptions are options of Client.Copy.
type CopyOptions struct {
	// To is the store to copy to, such as "ssh-ng://root@web"; see CopyURL.
	To string
	// SSHOpts are further options for ssh (NIX_SSHOPTS), such as the path of a
	// control socket. Before Nix 2.26 they are split at white space whatever
	// the quotes. "" leaves NIX_SSHOPTS as it is.
	SSHOpts string
	// SubstituteOnDestination lets the destination fetch from its substituters
	// what it can get there.
	SubstituteOnDestination bool
	// NoCheckSigs sends paths that no key trusted there has signed; the user
	// there must be one of its trusted users.
	NoCheckSigs bool
	// Mark, made of letters and digits, is in the environment of the Nix that is started
	// on the other machine of an ssh-ng store, as the value of MarkName. It tells that
	// process from others when it is left over there, holding its locks, because nothing
	// has told it that the connection is gone. "" leaves it out.
	Mark string
	// ConnectTimeout and StallTimeout bound what a binary cache costs that is down or
	// falls silent, as in Cache; ssh has its own. 0 means Nix's own.
	ConnectTimeout, StallTimeout time.Duration
	// Anew asks a binary cache which paths it has, whatever Nix remembers of it: for up
	// to 30 days that it has one, though it may have been cleaned since.
	Anew bool
	// Memory is a directory for what Nix remembers of binary caches, in place of its own:
	// for a week that one has its nix-cache-info, which it then does not write. "" is
	// Nix's own.
	Memory string
	// Progress is called with every line that nix prints, and four times a second
	// if more was sent by then, one at a time and not after Copy has returned. nil
	// means nobody looks.
	Progress func(CopyEvent)
}

// MarkName is the variable that holds a CopyOptions.Mark.
const MarkName = "FLOTILLA_COPY"

// CopyEvent is something that happened while copying.
type CopyEvent struct {
	// Text is the line that nix printed; "" if only Bytes has changed.
	Text string
	// Path is the path that is now being copied, Done how many were begun
	// before it; "" if the line tells of something else.
	Path StorePath
	Done int
	// Expected is how many paths are to be copied, the ones that the destination
	// has already not counted; 0 while it is not known.
	Expected int
	// Bytes is how many nix has written by now, the contents of paths and a little
	// of what is said besides; 0 if the kernel does not tell.
	Bytes int64
}

// Copy copies paths and everything they refer to to another store, which keeps
// what it has. Without paths it does nothing. Errors: *CopyError if Nix ran and
// gave an error, else those of Version and *Error.
func (c *Client) Copy(ctx context.Context, paths []StorePath, opt CopyOptions) error {
	if len(paths) == 0 {
		return nil
	}
	op := "copy to " + opt.To
	argv, err := c.cfg.copyArgs(paths, opt)
	if err != nil {
		return &Error{Op: op, ExitCode: -1, Err: err}
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	env := append(sshOpts(opt.SSHOpts), memory(opt.Memory)...)
	return untilFree(ctx, func() error { return c.copy(ctx, op, argv, env, opt) })
}

// sshOpts is the setting of the environment for a SSHOpts.
func sshOpts(opts string) []string {
	if opts == "" {
		return nil
	}
	return []string{"NIX_SSHOPTS=" + opts}
}

// memory is the setting of the environment for a Memory (NIX_CACHE_HOME since Nix 2.25).
func memory(dir string) []string {
	if dir == "" {
		return nil
	}
	return []string{"XDG_CACHE_HOME=" + dir, "NIX_CACHE_HOME=" + dir}
}

func (c *Client) copy(ctx context.Context, op string, argv, env []string, opt CopyOptions) error {
	log := copyLog{each: opt.Progress}
	cmd := proc.Cmd{Argv: argv, Env: c.cfg.environ(env...), Stderr: log.line}
	if opt.Progress != nil {
		over := make(chan struct{})
		var wg sync.WaitGroup
		defer wg.Wait()
		defer close(over)
		cmd.Started = func(p *proc.Process) { wg.Go(func() { log.follow(p, over) }) }
	}
	_, err := c.run(ctx, op, cmd)
	var e *Error
	if errors.As(err, &e) && e.Err == nil {
		return &CopyError{
			To: opt.To, Message: copyMessage(e.Stderr), hint: copyHint(opt),
			Argv: e.Argv, ExitCode: e.ExitCode, Stderr: e.Stderr,
		}
	}
	return err
}

// copyArgs is the command that copies paths. Nix's JSON log has an event for
// every token of an archive, hundreds of megabytes for a large closure, so its
// plain log it is.
func (cfg Config) copyArgs(paths []StorePath, opt CopyOptions) ([]string, error) {
	to, err := storeURL(opt.To)
	if err == nil && opt.Mark != "" {
		to, err = marked(to, opt.Mark)
	}
	if err != nil {
		return nil, err
	}
	argv := append([]string{cfg.Program, "copy"}, cfg.common()...)
	if opt.SubstituteOnDestination {
		argv = append(argv, "--substitute-on-destination")
	}
	if opt.NoCheckSigs {
		argv = append(argv, "--no-check-sigs")
	}
	argv = append(argv, patienceArgs(opt.ConnectTimeout, opt.StallTimeout)...)
	if opt.Anew {
		argv = append(argv, "--option", "narinfo-cache-positive-ttl", "0", "--option", "narinfo-cache-negative-ttl", "0")
	}
	argv = append(argv, "--log-format", "raw", "--to", to, "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, fmt.Errorf("cannot copy: %w", err)
		}
		argv = append(argv, string(p))
	}
	return argv, nil
}

// copyLog follows the plain log of a copy: "copying N paths..." and then
// "copying path 'PATH' to 'STORE'..." for each.
type copyLog struct {
	each func(CopyEvent)

	mu             sync.Mutex
	done, expected int
	bytes          int64
}

// sampleEvery is how often it is looked how much a copy has sent.
const sampleEvery = 250 * time.Millisecond

// follow tells how much nix has written, until over is closed. The kernel counts
// that anyway, while Nix itself would have to print it.
func (g *copyLog) follow(p *proc.Process, over <-chan struct{}) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			g.wrote(p.Written())
			return
		case <-tick.C:
		}
		g.wrote(p.Written())
	}
}

func (g *copyLog) wrote(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if bytes > g.bytes {
		g.bytes = bytes
		g.each(CopyEvent{Done: g.done, Expected: g.expected, Bytes: bytes})
	}
}

func (g *copyLog) line(line string) {
	if g.each == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e := CopyEvent{Text: plain(line), Bytes: g.bytes}
	if rest, ok := strings.CutPrefix(e.Text, "copying "); ok {
		if n, _, ok := strings.Cut(rest, " "); ok {
			if n, err := strconv.Atoi(n); err == nil && n >= 0 {
				g.expected = n
			}
		}
		if quoted, ok := strings.CutPrefix(rest, "path '"); ok {
			name, _, _ := strings.Cut(quoted, "'")
			if p, err := ParseStorePath(name); err == nil {
				e.Path, e.Done = p, g.done
				g.done++
			}
		}
	}
	e.Expected = g.expected
	g.each(e)
}
