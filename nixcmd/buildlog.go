package nixcmd

import (
	"slices"
	"strings"
)

// logTail is how many lines of each build's log are kept for its error.
const logTail = 50

// buildLog follows the log of a build and keeps the counts. What it keeps of
// logs is the tails of those builds that run or have failed.
type buildLog struct {
	each     func(BuildEvent)
	human    humanLog
	acts     map[uint64]*activity
	building map[StorePath]*activity // by derivation
	waiting  []*activity             // builds that were not yet counted as running, in order
	totals   BuildTotals
	reported BuildTotals // as of the last event
	// ended are builds that were counted as done or failed and whose activity has
	// not stopped yet, stopped the reverse; see progress.
	ended    []bool
	stopped  []FailedBuild
	failed   []FailedBuild
	messages []string
	ev       event // the line at hand, kept here to be allocated once
}

// activity is something that Nix is doing.
type activity struct {
	typ    int
	parent uint64
	path   StorePath // of a build, copy or substitution
	// of is the build that this one is part of: of the same derivation, on another
	// machine, which reports it too.
	of *activity
	// machine is where a build is; there is what that machine says of it.
	machine string
	there   there
	tail    lineRing

	done, expected, running, failed int64 // the last progress
	bytesExpected                   int64 // announced by setExpected
	counted                         int   // its part of BuildTotals.BuildsExpected
}

// there is what another machine says of a build that it does for this one.
type there struct {
	ended  bool
	failed int // how many builds had failed here when it ended there
}

func newBuildLog(each func(BuildEvent)) *buildLog {
	return &buildLog{each: each, acts: make(map[uint64]*activity), building: make(map[StorePath]*activity)}
}

func (g *buildLog) line(line string) {
	ev := &g.ev
	if !parseEvent(line, ev) {
		text := plain(line)
		g.human.add(text)
		if text != "" {
			g.tell(BuildEvent{Kind: BuildMessage, Text: text, Level: LevelInfo})
		}
		return
	}
	switch ev.action {
	case actMsg:
		g.message(ev)
	case actStart:
		g.start(ev)
	case actStop:
		if a := g.acts[ev.id]; a != nil {
			delete(g.acts, ev.id)
			g.stop(a)
		}
	case actResult:
		if a := g.acts[ev.id]; a != nil {
			g.result(a, ev)
		}
	}
}

func (g *buildLog) tell(e BuildEvent) {
	e.Totals = g.totals
	g.reported = g.totals
	if g.each != nil {
		g.each(e)
	}
}

func (g *buildLog) message(ev *event) {
	l := ev.logLine()
	g.human.message(l)
	if ev.level == LevelError && !ev.isTrace() {
		g.messages = append(g.messages, ev.message())
	}
	if l.Level <= LevelInfo && l.Text != "" {
		g.tell(BuildEvent{Kind: BuildMessage, Text: l.Text, Level: l.Level})
	}
}

func (g *buildLog) start(ev *event) {
	switch ev.typ {
	case activityBuilds, activityCopyPaths, activityCopyPath, activityBuild, activitySubstitute:
	default:
		if ev.typ != 0 || ev.parent != 0 {
			// Parents may be of types that mean nothing here.
			g.acts[ev.id] = &activity{typ: ev.typ, parent: ev.parent}
		}
		return
	}
	a := &activity{typ: ev.typ, parent: ev.parent}
	g.acts[ev.id] = a
	a.path, _ = ParseStorePath(ev.fields[0].s)
	switch a.typ {
	case activityBuilds:
		if up := g.acts[a.parent]; up != nil && up.typ == activityRealise {
			a.typ = 0 // a remote builder's own count of what is counted here
		}
	case activityBuild:
		if a.of = g.building[a.path]; a.of == nil && a.path != "" {
			g.building[a.path], a.machine = a, strings.Clone(ev.fields[1].s)
			g.waiting = append(g.waiting, a)
			g.tell(BuildEvent{Kind: BuildStarted, Derivation: a.path, Machine: a.machine})
		}
	case activityCopyPath:
		if a.path != "" && strings.HasPrefix(ev.fields[2].s, "ssh-ng://") {
			g.tell(BuildEvent{Kind: SendStarted, Path: a.path})
		}
	case activitySubstitute:
		if a.path != "" {
			g.tell(BuildEvent{Kind: FetchStarted, Path: a.path, Source: ev.fields[1].s})
		}
	}
}

func (g *buildLog) stop(a *activity) {
	switch a.typ {
	case activityBuild:
		if a.of != nil {
			a.of.there = there{true, g.totals.BuildsFailed}
		}
		if a.of != nil || a.path == "" {
			return
		}
		delete(g.building, a.path)
		g.tell(BuildEvent{Kind: BuildStopped, Derivation: a.path})
		if i := slices.Index(g.waiting, a); i >= 0 {
			g.waiting = slices.Delete(g.waiting, i, i+1)
			if a.machine == "" {
				return // it will begin again
			}
		}
		f := FailedBuild{Derivation: a.path, LogTail: a.tail.lines(), Machine: a.machine}
		if len(g.ended) == 0 {
			g.stopped = append(g.stopped, f)
			return
		}
		good := g.ended[0]
		g.ended = g.ended[1:]
		if !good {
			f.BrokenOff = g.brokenOff(a)
			g.fail(f)
		}
	case activitySubstitute:
		if a.path != "" {
			g.tell(BuildEvent{Kind: FetchStopped, Path: a.path})
		}
	case activityCopyPath:
		// The last bytes of a path are often not reported.
		g.totals.BytesDone += max(a.expected-a.done, 0)
		g.progressed()
	}
}

func (g *buildLog) result(a *activity, ev *event) {
	switch ev.typ {
	case resultProgress:
		g.progress(a, ev)
	case resultSetExpected:
		if ev.fields[0].n == activityCopyPath {
			g.totals.BytesExpected += ev.fields[1].n - a.bytesExpected
			a.bytesExpected = ev.fields[1].n
			g.progressed()
		}
	case resultBuildLogLine, resultSetPhase:
		outer := g.outer(a)
		if outer == nil {
			return
		}
		text := plain(ev.fields[0].s)
		if ev.typ == resultSetPhase {
			g.tell(BuildEvent{Kind: BuildPhase, Derivation: outer.path, Text: text})
			return
		}
		outer.tail.add(text)
		g.tell(BuildEvent{Kind: BuildLog, Derivation: outer.path, Text: text})
	}
}

// outer is the build that an activity is, or is part of; nil if it is of none.
func (g *buildLog) outer(a *activity) *activity {
	for depth := 0; a != nil && depth < 16; depth++ {
		if a.typ == activityBuild && a.of != nil {
			return a.of
		}
		if a.typ == activityBuild && a.path != "" {
			return a
		}
		a = g.acts[a.parent]
	}
	return nil
}

// progress takes in the counts of an activity.
//
// The log does not say of a build whether it failed. What it does say is that
// one fewer is running and one more has failed, and right before or after (Nix
// 2.26: before; the other order is provided for) that an activity has stopped.
// The two are matched in the order they come in. A failure that leaves the
// number of running builds alone was never a build: no machine could do it. A
// build that stops without being counted was interrupted. One that stops without having
// been counted as running, which is right after it began, only waited for others (since 2.35).
func (g *buildLog) progress(a *activity, ev *event) {
	done, expected := ev.fields[0].n, ev.fields[1].n
	running, failed := ev.fields[2].n, ev.fields[3].n
	before := *a
	a.done, a.expected, a.running, a.failed = done, expected, running, failed
	t := &g.totals
	switch a.typ {
	case activityCopyPath:
		t.BytesDone += done - before.done
	case activityCopyPaths:
		t.FetchesDone += int(done - before.done)
		t.FetchesExpected += int(expected - before.expected)
	case activityBuilds:
		t.BuildsDone += int(done - before.done)
		t.BuildsRunning += int(running - before.running)
		if begun := running - before.running; begun > 0 {
			g.waiting = g.waiting[:int64(len(g.waiting))-min(begun, int64(len(g.waiting)))]
		}
		t.BuildsFailed += int(failed - before.failed)
		// Nix counts what it expects besides what has failed. Some versions (2.34
		// does) report a build that ends as that and still as expected; the next
		// report is right again.
		if failed == before.failed && done == before.done {
			t.BuildsExpected += int(expected+failed) - a.counted
			a.counted = int(expected + failed)
		}
		ended := min(before.running-running, int64(len(g.acts)+len(g.stopped)))
		for n := failed - before.failed; n > 0 && ended > 0; n, ended = n-1, ended-1 {
			g.settle(false)
		}
		for n := done - before.done; n > 0 && ended > 0; n, ended = n-1, ended-1 {
			g.settle(true)
		}
	}
	g.progressed()
}

// brokenOff reports whether a build that has failed on another machine did so without that
// having ended it. Its own part then never began; or stops with all that it had begun, once
// the failure is counted: right before this build does (Nix 2.26), or after (2.34).
func (g *buildLog) brokenOff(a *activity) bool {
	return a.machine != "" && (!a.there.ended || a.there.failed == g.totals.BuildsFailed)
}

// settle matches a build that ended with one that stopped.
func (g *buildLog) settle(good bool) {
	if len(g.stopped) == 0 {
		g.ended = append(g.ended, good)
		return
	}
	f := g.stopped[0]
	g.stopped = g.stopped[1:]
	if !good {
		g.fail(f)
	}
}

func (g *buildLog) fail(f FailedBuild) {
	g.failed = append(g.failed, f)
	g.tell(BuildEvent{Kind: BuildFailed, Derivation: f.Derivation})
}

// progressed tells of new totals. Bytes alone, of which Nix reports every few,
// are told of in steps.
func (g *buildLog) progressed() {
	const step = 1 << 20
	now, was := g.totals, g.reported
	if now == was {
		return
	}
	if bytes := now.BytesDone - was.BytesDone; bytes >= 0 && bytes < step && now.BytesDone != now.BytesExpected {
		now.BytesDone = was.BytesDone
		if now == was {
			return
		}
	}
	g.tell(BuildEvent{Kind: BuildProgress})
}

// explain makes a *BuildError of a failed command.
func (g *buildLog) explain(drvs []StorePath, store string, e *Error) *BuildError {
	out := &BuildError{
		Derivations: drvs, Store: store, Failed: g.failed, Messages: g.messages,
		Argv: e.Argv, ExitCode: e.ExitCode, Stderr: e.Stderr,
	}
	// What failed of its own is what to look at.
	slices.SortStableFunc(out.Failed, func(a, b FailedBuild) int {
		switch {
		case a.BrokenOff == b.BrokenOff:
			return 0
		case b.BrokenOff:
			return -1
		}
		return 1
	})
	for i := range out.Failed {
		out.Failed[i].Reason = g.reason(out.Failed[i].Derivation)
	}
	if len(out.Failed) > 0 {
		where := ""
		if store != "" {
			where = ", on the machine of " + store // Nix does not fetch logs over ssh
		}
		out.hint = "for the whole log" + where + ": nix log " + string(out.Failed[0].Derivation)
	}
	return out
}

// reason is what the first message that names a derivation says of it.
func (g *buildLog) reason(drv StorePath) string {
	for _, m := range g.messages {
		if !strings.Contains(m, string(drv)) {
			continue
		}
		first, rest, _ := strings.Cut(m, "\n")
		// Since 2.29 the first line repeats only which derivation it is.
		if second, _, _ := strings.Cut(rest, "\n"); strings.HasPrefix(strings.TrimSpace(second), "Reason: ") {
			first = strings.TrimPrefix(strings.TrimSpace(second), "Reason: ")
		}
		return strings.TrimRight(strings.TrimSpace(first), ".;:")
	}
	return ""
}

// lineRing keeps the last lines it is given.
type lineRing struct {
	kept []string
	next int
}

func (r *lineRing) add(line string) {
	// Lines share the memory of the log's line they came from; a cut one is
	// copied so that a huge line is not kept for its beginning.
	const most = 4 << 10
	if len(line) > most {
		line = strings.Clone(strings.ToValidUTF8(line[:most], "")) + "…"
	}
	if len(r.kept) < logTail {
		r.kept = append(r.kept, line)
		return
	}
	r.kept[r.next] = line
	r.next = (r.next + 1) % logTail
}

func (r *lineRing) lines() []string {
	return append(r.kept[r.next:len(r.kept):len(r.kept)], r.kept[:r.next]...)
}
