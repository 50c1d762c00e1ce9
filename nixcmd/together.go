package nixcmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// TogetherOptions are options of Client.EvaluateTogether.
type TogetherOptions struct {
	// Heap and Started are those of EvaluateOptions.
	Heap    int64
	Started func(memory func() int64)
	// Begun is called when an attribute's turn comes, Found when its derivation is
	// known and in the store, while the evaluator goes on to the next: with its index,
	// one call at a time and not after EvaluateTogether has returned. nil means nobody
	// looks. Of the Evaluation, Derivation, Toplevel and Warnings are set, and Together;
	// a warning that code gives which several share is with the first of them alone.
	Begun func(i int)
	Found func(i int, ev Evaluation)
}

// EvaluateTogether evaluates attributes of one flake, of one and the same attribute set of
// it, one after the other in a single evaluator, which reads what they share once. Nix's
// evaluation cache has no part in it; see InEvaluationCache. The first that fails ends it:
// those of which Found has told are good, and of the others nothing is known, not even
// which is to blame. Errors are those of Evaluate, with all of them for an installable.
func (c *Client) EvaluateTogether(ctx context.Context, what []Installable, opt TogetherOptions) error {
	set, err := commonSet(what)
	if err != nil {
		return &Error{Op: "evaluate", ExitCode: -1, Err: err}
	}
	v, err := c.Version(ctx)
	if err != nil {
		return err
	}
	mark := "flotilla-" + rand.Text() + " "
	t := &togetherLog{mark: mark, opt: opt}
	cmd := proc.Cmd{Argv: c.cfg.togetherArgs(v, set, togetherExpression(mark, what)), Env: c.cfg.environ(c.heapSettings(opt.Heap)...), Stderr: t.line}
	if opt.Started != nil {
		cmd.Started = func(p *proc.Process) { opt.Started(p.Memory) }
	}
	op := fmt.Sprintf("evaluate %d of %s", len(what), set)
	res, err := c.run(ctx, op, cmd)
	switch {
	case err != nil:
		return t.log.explain(set, err)
	case t.err == nil && t.next < len(what):
		t.err = fmt.Errorf("only %d of %d were told of", t.next, len(what))
	}
	if t.err != nil {
		return &Error{Op: op, Argv: cmd.Argv, ExitCode: res.Code, Stderr: t.log.human.String(), Err: t.err}
	}
	return nil
}

// InEvaluationCache reports whether Nix's evaluation cache knows the derivation of an
// attribute; finding out that it does not takes hundredths of a second. Errors are those
// of Evaluate.
func (c *Client) InEvaluationCache(ctx context.Context, what Installable) (bool, error) {
	v, err := c.Version(ctx)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	log := &evalLog{missed: func() { cancel(errNotCached) }}
	_, _, err = c.instantiateWith(ctx, v, what, EvaluateOptions{}, log, false)
	if errors.Is(context.Cause(ctx), errNotCached) {
		return false, nil
	}
	return err == nil && log.cached(), err
}

var errNotCached = errors.New("not in the evaluation cache")

// commonSet is the attribute set that installables are in.
func commonSet(what []Installable) (Installable, error) {
	if len(what) == 0 {
		return Installable{}, errors.New("no installable given")
	}
	set := Installable{ref: what[0].ref}
	for _, w := range what {
		if w.ref != set.ref || len(w.attr) < 2 || w.attr[0] != what[0].attr[0] {
			return Installable{}, fmt.Errorf("%s and %s are not in one attribute set", what[0], w)
		}
	}
	set.attr = what[0].attr[:1]
	return set, nil
}

// togetherExpression is a function of the set that tells of each attribute by a trace,
// which Nix prints at once, while what a command prints comes at its end.
func togetherExpression(mark string, what []Installable) string {
	var b strings.Builder
	b.WriteString(`set: let tell = text: builtins.trace "` + mark + `${text}" null; each = i: value: ` +
		`builtins.seq (tell "begun ${i}") (builtins.seq value.drvPath (tell "found ${i} ${value.drvPath} ${(value.out or value).outPath}")); ` +
		`in builtins.foldl' (_: next: next null) null [`)
	for i, w := range what {
		fmt.Fprintf(&b, ` (_: each "%d" set`, i)
		for _, name := range w.attr[1:] {
			b.WriteString("." + nixString(name))
		}
		b.WriteString(")")
	}
	b.WriteString(" ]")
	return b.String()
}

// nixString is a text as a string of the Nix language.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`).Replace(s) + `"`
}

// togetherArgs is the command that evaluates several attributes of a set.
func (cfg Config) togetherArgs(v Version, set Installable, apply string) []string {
	argv := append([]string{cfg.Program, "eval"}, cfg.common()...)
	return append(append(argv, "--no-eval-cache", "--json", "--apply", apply, "--log-format", "internal-json"), set.arguments(v)...)
}

// togetherLog follows the log of such a command.
type togetherLog struct {
	log  evalLog
	mark string
	opt  TogetherOptions
	// next is whose turn it is or comes next, begun whether it has begun.
	next  int
	begun bool
	// common are the warnings from before the first turn, seen is how many of all have
	// been told of.
	common []string
	seen   int
	err    error
}

func (t *togetherLog) line(line string) {
	text, ok := t.told(line)
	if !ok {
		t.log.line(line)
		return
	}
	if t.err == nil {
		t.err = t.take(strings.Fields(text))
	}
}

// take takes in what a trace of our own says.
func (t *togetherLog) take(words []string) error {
	is := func(what string, n int) bool {
		return len(words) == n && words[0] == what && words[1] == strconv.Itoa(t.next)
	}
	switch {
	case is("begun", 2) && !t.begun:
		if t.begun = true; t.next == 0 {
			t.common, t.seen = t.log.warnings, len(t.log.warnings)
		}
		if t.opt.Begun != nil {
			t.opt.Begun(t.next)
		}
		return nil
	case is("found", 4) && t.begun:
		drv, err := ParseStorePath(words[2])
		top, topErr := ParseStorePath(words[3])
		if err := errors.Join(err, topErr); err != nil {
			return err
		}
		ev := Evaluation{Derivation: drv, Toplevel: top, Together: true, Relocked: t.log.relocked(), Warnings: slices.Concat(t.common, t.log.warnings[t.seen:])}
		i := t.next
		t.seen, t.next, t.begun = len(t.log.warnings), i+1, false
		if t.opt.Found != nil {
			t.opt.Found(i, ev)
		}
		return nil
	}
	return fmt.Errorf("unexpected: %q", words)
}

// told is the text of a line of the log that is one of our own traces.
func (t *togetherLog) told(line string) (text string, ok bool) {
	if !strings.Contains(line, t.mark) {
		return "", false
	}
	var ev event
	if !parseEvent(line, &ev) || ev.action != actMsg {
		return "", false
	}
	return strings.CutPrefix(plain(ev.text), tracePrefix+t.mark)
}
