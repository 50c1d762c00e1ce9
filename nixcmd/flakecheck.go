package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// FlakeProblem is one thing that `nix flake check` found wrong.
type FlakeProblem struct {
	// Output is the output concerned, as packages.x86_64-linux.hello; "" if Nix
	// does not say.
	Output string
	// Message is as in EvalError.
	Message string
	// File, Line and Column are as in EvalError.
	File         string
	Line, Column int
}

// Error gives output, position and the first line of the message.
func (p FlakeProblem) Error() string {
	var parts []string
	if p.Output != "" {
		parts = append(parts, p.Output)
	}
	if p.File != "" {
		parts = append(parts, fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column))
	}
	return oneLine(append(parts, p.Message)...)
}

// FlakeCheck is what `nix flake check` said.
type FlakeCheck struct {
	// Problems are what is wrong, in the order in which Nix came upon it; nil if
	// all is well.
	Problems []FlakeProblem
	// Warnings are what Nix and the flake warned of, in order.
	Warnings []string
	// Usage is what the evaluator cost.
	Usage Usage
}

// CheckFlake evaluates every output of the flake in Config.Dir, without building
// any, and goes on after a failure. What is wrong with the flake is in the
// answer; errors are those of Version, and *Error if Nix did not say what was
// wrong.
func (c *Client) CheckFlake(ctx context.Context) (FlakeCheck, error) {
	if _, err := c.Version(ctx); err != nil {
		return FlakeCheck{}, err
	}
	var answer FlakeCheck
	var busy FlakeProblem
	err := untilFree(ctx, func() (err error) {
		answer, err = c.checkFlakeOnce(ctx)
		for _, p := range answer.Problems {
			if err == nil && isBusy(p) {
				return p
			}
		}
		return err
	})
	if errors.As(err, &busy) {
		err = nil
	}
	return answer, err
}

func (c *Client) checkFlakeOnce(ctx context.Context) (FlakeCheck, error) {
	log := &checkLog{}
	argv := c.cfg.checkArgs()
	res, err := c.run(ctx, "check the flake", proc.Cmd{Argv: argv, Stderr: log.line})
	answer := FlakeCheck{Warnings: log.warnings, Usage: usageOf(res)}
	if err == nil {
		return answer, nil
	}
	var e *Error
	if answer.Problems = log.found(); errors.As(err, &e) && (e.Err != nil || len(answer.Problems) == 0) {
		e.Stderr = log.human.String()
		return answer, e
	}
	return answer, nil
}

// checkArgs is the command that checks the flake. --keep-going makes evaluation
// errors wait for the end.
func (cfg Config) checkArgs() []string {
	argv := append([]string{cfg.Program, "flake", "check"}, cfg.common()...)
	return append(argv, "--no-build", "--keep-going", "--log-format", "internal-json", "-v", "--", ".")
}

// checkLog follows the log of `nix flake check --keep-going`.
type checkLog struct {
	evalLog
	output   string // what is being checked
	problems []FlakeProblem
}

const (
	checking       = "checking "
	ignoredFailure = "error (ignored): "
)

func (g *checkLog) line(line string) {
	ev := &g.ev
	*ev = event{} // the line may be no event
	g.evalLog.line(line)
	switch {
	case ev.action == actStart && strings.HasPrefix(ev.text, checking):
		g.output = checked(ev.text)
	case ev.action == actMsg && ev.level == LevelError && !ev.isTrace():
		g.problems = append(g.problems, g.problem(ev))
		g.output = ""
	}
}

// checked is the output that the text of an activity names: "checking derivation
// a.b", "checking NixOS configuration 'a.\"b c\"'".
func checked(text string) string {
	if _, quoted, ok := strings.Cut(text, "'"); ok {
		return strings.TrimSuffix(quoted, "'")
	}
	return text[strings.LastIndexByte(text, ' ')+1:]
}

// someErrors is how Nix ends a check that went on after errors (Nix,
// src/nix/flake.cc). Should the words change, they are shown as one problem more.
const someErrors = "some errors were encountered during the evaluation"

// found are the problems without the last, if it only says that there are some.
func (g *checkLog) found() []FlakeProblem {
	if n := len(g.problems); n > 1 && g.problems[n-1].Message == someErrors {
		return g.problems[:n-1]
	}
	return g.problems
}

func (g *checkLog) problem(ev *event) FlakeProblem {
	p := FlakeProblem{Output: g.output}
	text, ignored := strings.CutPrefix(plain(ev.text), ignoredFailure)
	if ev.raw != "" || !ignored {
		p.Message = ev.message()
		p.File, p.Line, p.Column = position(ev.file, ev.line, ev.col)
	} else {
		p.Message, p.File, p.Line, p.Column = readFailure(text)
	}
	tree := g.tree()
	p.Message, p.File = tree.relativeIn(p.Message), tree.relative(p.File)
	return p
}

// atPosition is the line by which Nix says where, in a text for people.
var atPosition = regexp.MustCompile(`^at (.+):(\d+):(\d+):$`)

// readFailure finds message and position in an error that Nix (seen in 2.26) logs
// only as a text for people. They come last, after the trace. A text of another
// form is all message.
func readFailure(text string) (message, file string, line, column int) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var kept []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if rest, ok := strings.CutPrefix(l, "error:"); ok {
			kept, file, line, column = []string{strings.TrimSpace(rest)}, "", 0, 0
			continue
		}
		if m := atPosition.FindStringSubmatch(l); m != nil && file == "" {
			file = m[1]
			line, _ = strconv.Atoi(m[2])
			column, _ = strconv.Atoi(m[3])
		}
		if file == "" {
			kept = append(kept, l)
		}
	}
	return strings.TrimSpace(strings.Join(kept, "\n")), file, line, column
}
