package ui

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/fleet"
)

// planned is a plan of five hosts: much to do, little to do, nothing, one that
// cannot be reached and one that has no room.
func planned() *fleet.Report {
	p620 := &fleet.Difference{
		Packages: fleet.PackageDiff{
			Added:   []fleet.PackageChange{{Name: "jq", NewVersions: []string{"1.8.0"}, NewSize: 2048}, {Name: "unit-jq.service", NewVersions: []string{""}, NewSize: 512}},
			Removed: []fleet.PackageChange{{Name: "vim", OldVersions: []string{"9.0.1", "9.1.0"}, OldSize: 3 << 20}},
			OldSize: 4 << 30, NewSize: 4<<30 + 7<<20, OldPaths: 3000, NewPaths: 3010,
		},
		Copy: fleet.CopyWork{Paths: 612, Bytes: 812 << 20}, FreeBytes: 40 << 30,
		Units: fleet.UnitChanges{
			Stop: []string{"old.service"}, Restart: []string{"a.service", "b.service", "c.service", "d.service", "e.service", "f.service", "g.service"},
			Start: []string{"old.service"}, Keep: []string{"dbus.service"}, New: []string{"jq.service"},
		},
		RebootFor: []string{"kernel", "initrd", "kernel-params"},
		Reboot:    []fleet.RebootPart{{Part: "kernel", Old: "6.12.31", New: "6.15.1"}, {Part: "initrd", Old: "6.12.31", New: "6.15.1"}, {Part: "kernel-params", Old: "quiet", New: "loglevel=4"}},
	}
	for i := range 20 {
		p620.Packages.Changed = append(p620.Packages.Changed,
			fleet.PackageChange{Name: fmt.Sprintf("lib%02d", i), OldVersions: []string{"1.0"}, NewVersions: []string{"1.1"}, OldSize: int64(i) << 10, NewSize: int64(i) << 11},
			fleet.PackageChange{Name: fmt.Sprintf("same%02d", i), OldVersions: []string{"2"}, NewVersions: []string{"2"}, OldSize: 9, NewSize: 9})
	}
	dex := &fleet.Difference{Copy: fleet.CopyWork{Paths: 1, Bytes: 41 << 20}, FreeBytes: 8 << 20, UnitsUnknown: "the system cannot be copied to the host"}
	down := &fleet.StepError{Host: "p510", Step: fleet.StepSurvey, Brief: "no route to host", ExitCode: 255, Hint: "is it on?", Err: errors.New("x")}
	return &fleet.Report{Planned: true, Duration: 3 * time.Second, Started: time.Unix(0, 0), Results: []fleet.Result{
		{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Compared, Difference: p620, RebootFor: p620.RebootFor, Build: fleet.BuildWork{Derivations: 9, Paths: 600, Bytes: 700 << 20},
			Reason: "it runs 2rx5lv6-p620-26.05.miniature, wanted is q8mxnpc-p620-26.05.miniature"},
		{Host: fleet.Host{Name: "razer"}, Outcome: fleet.Unchanged, Difference: &fleet.Difference{FreeBytes: 9}, Reason: "it already runs and boots 2rx5lv6-razer-26.05.miniature"},
		{Host: fleet.Host{Name: "p510"}, Outcome: fleet.Unreachable, Err: down},
		{Host: fleet.Host{Name: "dex5550"}, Outcome: fleet.Compared, Difference: dex, Build: fleet.BuildWork{Derivations: 1}, Reason: "it runs a, wanted is b"},
	}}
}

// The short form, in full, as JSON and as Markdown, word for word.
func TestPlan(t *testing.T) {
	terminal := func(write func(screen)) string {
		var b bytes.Buffer
		write(screen{w: &b, width: 80})
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		return b.String()
	}
	r := planned()
	golden(t, "plan-80.txt", terminal(func(s screen) { planTo(s, r) }))
	golden(t, "plan-diff-80.txt", terminal(func(s screen) { difference(s, r.Results[0], true) }))
	golden(t, "plan.md", Markdown(r))
	var b bytes.Buffer
	answers{out: &b, err: &b}.write(r, nil)
	golden(t, "plan.txt", b.String())
	b.Reset()
	NewJSON(&b).Finish(r, nil)
	golden(t, "plan.json", regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllString(b.String(), `"time":"…"`))
}

// With an answer of its own, the table and the summary are for people only.
func TestPlanWithAnswer(t *testing.T) {
	var out, err bytes.Buffer
	r := planned()
	r.Results = r.Results[:2]
	NewPlain(&out, &err, nil, false).Finish(r, Differences)
	if !strings.Contains(out.String(), "lib07") || !strings.Contains(out.String(), "g.service") || strings.Contains(out.String(), "HOST") {
		t.Errorf("answer: %s", out.String())
	}
	if strings.Contains(err.String(), "lib07") || !strings.HasPrefix(err.String(), "HOST ") || !strings.HasSuffix(err.String(), "2 hosts: 1 to deploy, 1 unchanged, 3.0 s (a plan: nothing was activated)\n") {
		t.Errorf("rest: %s", err.String())
	}

	// Of a single host nothing is told twice.
	out.Reset()
	err.Reset()
	r.Results = r.Results[:1]
	NewPlain(&out, &err, nil, false).Finish(r, Differences)
	if got := err.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "(a plan: nothing was activated)\n") {
		t.Errorf("rest: %s", got)
	}
}

// A comment has a limit, whatever the size of the fleet.
func TestMarkdownIsBounded(t *testing.T) {
	r := planned()
	few := Markdown(r)
	for range 300 {
		r.Results = append(r.Results, r.Results[:4]...)
	}
	many := Markdown(r)
	if n := len(many); n > 65_536 || n < len(few) {
		t.Errorf("%d bytes", n)
	}
	for _, said := range []string{"| 301 hosts | ✅ unchanged |", "more | |", "The details of "} {
		if !strings.Contains(many, said) {
			t.Errorf("does not say %q", said)
		}
	}
}

// Whatever packages, units, versions and reasons are called, the Markdown has
// the same markup, and the text the same lines.
func TestPlanOfHostileNames(t *testing.T) {
	escaped, mention := regexp.MustCompile(`\\[[:punct:]]`), regexp.MustCompile(`@[[:alnum:]]`)
	bare := func(md string) string { return strings.ReplaceAll(escaped.ReplaceAllString(md, ""), "<!-- -->", "") }
	hostile := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"a|b", "`x`", "</code></details><script>alert(1)</script>", "a\n\n# b", "@octocat", "[x](http://y)", "<!--", "-->", "&lt;b&gt;", "\\", "\\|", "a\r\n| b |", "www.x.org", "*b*", "~~s~~",
	}))
	of := func(name string) *fleet.Report {
		d := &fleet.Difference{
			Packages: fleet.PackageDiff{Added: []fleet.PackageChange{{Name: name, NewVersions: []string{"1" + name}}}},
			Units:    fleet.UnitChanges{Stop: []string{name}}, Reboot: []fleet.RebootPart{{Part: "kernel", Old: "1" + name, New: "2" + name}},
		}
		e := *d
		e.UnitsUnknown = "x" + name
		return &fleet.Report{Planned: true, Results: []fleet.Result{
			{Host: fleet.Host{Name: "a"}, Outcome: fleet.Compared, Difference: d, Reason: "x" + name},
			{Host: fleet.Host{Name: "b"}, Outcome: fleet.Compared, Difference: &e},
			{Host: fleet.Host{Name: "c"}, Outcome: fleet.Failed, Err: &fleet.StepError{Host: "c", Step: fleet.StepBuild, Brief: "x" + name, Err: errors.New("x")}},
		}}
	}
	text := func(r *fleet.Report) string {
		var b bytes.Buffer
		plan(&b, r)
		return b.String()
	}
	tame := of("x")
	tameMarkdown, tameText := bare(Markdown(tame)), text(tame)
	rapid.Check(t, func(t *rapid.T) {
		name := hostile.Draw(t, "name")
		if plain(name) == "" {
			name = "x" + name
		}
		r := of(name)
		md := Markdown(r)
		for _, mark := range []string{"\n", "|", "<", ">", "`", "[", "*", "_"} {
			if got, want := strings.Count(bare(md), mark), strings.Count(tameMarkdown, mark); got != want {
				t.Fatalf("%q: %d of %q, want %d:\n%s", name, got, mark, want, md)
			}
		}
		if mention.MatchString(md) {
			t.Fatalf("%q is a mention:\n%s", name, md)
		}
		if got, want := strings.Count(text(r), "\n"), strings.Count(tameText, "\n"); got != want {
			t.Fatalf("%q: %d lines, want %d:\n%s", name, got, want, text(r))
		}
	})
}

// What is kept is the most that may be, in the old order, and nothing without a
// version is kept in place of something with one.
func TestMostInteresting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(func(t *rapid.T) packageRow {
			return packageRow{name: rapid.StringN(1, 3, -1).Draw(t, "name"), versioned: rapid.Bool().Draw(t, "versioned"), largest: rapid.Int64Range(0, 9).Draw(t, "size")}
		})).Draw(t, "rows")
		most := rapid.IntRange(1, 8).Draw(t, "most")
		kept, hidden := mostInteresting(rows, most)
		if len(kept)+hidden != len(rows) || len(kept) != min(most, len(rows)) {
			t.Fatalf("%d kept, %d hidden of %d", len(kept), hidden, len(rows))
		}
		next, versioned, all := 0, 0, 0
		for _, r := range rows {
			if next < len(kept) && kept[next] == r {
				next++
			}
			if r.versioned {
				all++
			}
		}
		for _, r := range kept {
			if r.versioned {
				versioned++
			}
		}
		if next != len(kept) || versioned != min(all, len(kept)) {
			t.Fatalf("%v of %v", kept, rows)
		}
	})
}

// Many versions are a few and a number; what stays in both is then left out.
func TestBump(t *testing.T) {
	six := []string{"1", "2", "3", "4", "5", "6"}
	for want, got := range map[string]string{
		"1 → 2":                        bump([]string{"1"}, []string{"2"}),
		"1 → 1, 2":                     bump([]string{"1"}, []string{"1", "2"}),
		"∅ → 2":                        bump([]string{""}, []string{"2"}),
		"6 → 7":                        bump(six, append([]string{"7"}, six[:5]...)),
		"∅ → 1, 2, 3, 4 and 2 more":    bump(nil, six),
		"1, 2, 3, 4 and 2 more (both)": versions(six) + " (both)",
		"1, 2, 3, 4, 5":                versions(six[:5]),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What a deployment has changed is in the history; its report is no plan.
func TestDeploymentIsNoPlan(t *testing.T) {
	r := planned()
	for _, o := range []fleet.Outcome{fleet.Switched, fleet.Failed, fleet.RolledBack, fleet.Staged} {
		r.Results = r.Results[:1]
		r.Results[0].Outcome = o
		var out bytes.Buffer
		if findings(&out, r); out.Len() > 0 {
			t.Errorf("%s: %s", o, out.String())
		}
	}
}
