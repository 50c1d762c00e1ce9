package nixcmd

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// recorded calls f with every recording of every version.
func recorded(tb testing.TB, f func(name string, r recording)) {
	files, err := filepath.Glob("testdata/2.*/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		r, err := readRecording(file)
		if err != nil {
			tb.Fatal(err)
		}
		f(file, r)
	}
}

// All that a real Nix logged is understood.
func TestParseRecorded(t *testing.T) {
	recorded(t, func(name string, r recording) {
		for line := range strings.Lines(r.stderr) {
			line = strings.TrimSuffix(line, "\n")
			var ev event
			if got, want := parseEvent(line, &ev), strings.HasPrefix(line, "@nix "); got != want {
				t.Errorf("%s: %q: %v", name, line, got)
			}
		}
	})
}

func TestParseEvent(t *testing.T) {
	for _, c := range []struct {
		line string
		want event
	}{
		{`@nix {"action":"stop","id":21474836480}`, event{action: actStop, id: 21474836480}},
		{`@nix {"id":3,"action":"stop","new":[{}]}`, event{action: actStop, id: 3}},
		{`@nix {"action":"result","fields":[8,120,0,1],"id":5,"type":105}`, event{action: actResult, id: 5, typ: 105, fields: [4]field{{n: 8}, {n: 120}, {}, {n: 1}}}},
		{`@nix {"action":"result","fields":[1,2,3,4,5,6],"id":5,"type":999}`, event{action: actResult, id: 5, typ: 999, fields: [4]field{{n: 1}, {n: 2}, {n: 3}, {n: 4}}}},
		{`@nix {"action":"result","fields":["a \"b\" \u00e4"],"id":5,"type":101}`, event{action: actResult, id: 5, typ: 101, fields: [4]field{{s: `a "b" ä`}}}},
		{`@nix {"action":"result","fields":["plain"],"id":5,"type":101}`, event{action: actResult, id: 5, typ: 101, fields: [4]field{{s: `plain`}}}},
		{`@nix {"action":"result","fields":[null,{"x":1},-7,1e3],"id":5,"type":101}`, event{action: actResult, id: 5, typ: 101, fields: [4]field{{}, {}, {n: -7}, {}}}},
		{`@nix {"action":"result","id":5,"type":101}`, event{action: actResult, id: 5, typ: 101}},
		{`@nix {"action":"result","fields":"odd","id":5,"type":101}`, event{action: actResult, id: 5, typ: 101}},
		{`@nix {"action":"start","fields":["/x"],"id":1,"level":3,"parent":2,"text":"building","type":105}`, event{action: actStart, id: 1, parent: 2, level: 3, typ: 105, text: "building", fields: [4]field{{s: "/x"}}}},
		{`@nix {"action":"msg","column":null,"file":null,"level":0,"line":null,"msg":"m","raw_msg":"r"}`, event{action: actMsg, text: "m", raw: "r"}},
	} {
		var ev event
		if !parseEvent(c.line, &ev) || !reflect.DeepEqual(ev, c.want) {
			t.Errorf("%s\ngave %+v", c.line, ev)
		}
	}
	for _, text := range []string{
		"", "building", "@nix", "@nix ", "@nix {", `@nix {"action":"dance"}`, `@nix []`, `@nix {"action":"stop","id":1} x`,
		` @nix {"action":"stop","id":1}`, `@nix {"action":"msg","msg":7}`,
	} {
		var ev event
		if parseEvent(text, &ev) {
			t.Errorf("%q is no event, but gave %+v", text, ev)
		}
	}
}

func TestHugeLine(t *testing.T) {
	long := strings.Repeat("x", 8<<20)
	var ev event
	if !parseEvent(`@nix {"action":"result","fields":["`+long+`"],"id":5,"type":101}`, &ev) || len(ev.fields[0].s) != len(long) {
		t.Error("a long line is a line")
	}
	var r lineRing
	r.add(long)
	if n := len(r.lines()[0]); n > 5<<10 {
		t.Errorf("%d bytes are kept of it", n)
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                "plain",
		"\x1b[31;1merror:\x1b[0m no":           "error: no",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\a": "link",
		"a\rb":                                 "ab",
		"\x1b":                                 "",
		"\x1b[":                                "",
		"x\x1b(By":                             "xBy",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q gave %q, not %q", in, got, want)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	recorded(f, func(_ string, r recording) {
		for line := range strings.Lines(r.stderr) {
			f.Add(strings.TrimSuffix(line, "\n"))
		}
	})
	f.Add(`@nix {"action":"result","fields":[01],"id":1,"type":1}`)
	f.Add(`@nix {"action":"result","fields":["a"x],"id":1,"type":1}`)
	f.Fuzz(func(t *testing.T, line string) {
		var ev, fast, slow event
		if !parseEvent(line, &ev) {
			return
		}
		body := strings.TrimPrefix(line, eventPrefix)
		if !parseSlow(body, &slow) {
			t.Fatalf("%q is not JSON", line)
		}
		// What is read fast is read right.
		if parseFast(body, &fast) && !reflect.DeepEqual(fast, slow) {
			t.Fatalf("%q: %+v, not %+v", line, fast, slow)
		}
		if strings.Contains(ev.message()+ev.logLine().Text, "\x1b") {
			t.Fatalf("%q has colours left", line)
		}
	})
}

// The flood of a large copy: numbers only.
func BenchmarkParseProgress(b *testing.B) {
	benchmarkParse(b, `@nix {"action":"result","fields":[2097152,41943040,0,0],"id":111669149703,"type":105}`)
}

func BenchmarkParseLogLine(b *testing.B) {
	benchmarkParse(b, `@nix {"action":"result","fields":["  CC      drivers/net/ethernet/intel/e1000e/netdev.o"],"id":25769803781,"type":101}`)
}

func BenchmarkParseLogLineEscaped(b *testing.B) {
	benchmarkParse(b, `@nix {"action":"result","fields":["\u001b[32mok\u001b[0m \"quoted\""],"id":25769803781,"type":101}`)
}

func BenchmarkParseStart(b *testing.B) {
	benchmarkParse(b, `@nix {"action":"start","fields":["/nix/store/2in81c934cf43y5ji38dd3qc7yii8xwj-etc.drv","",1,1],"id":25769803781,"level":3,"parent":0,"text":"building '/nix/store/2in81c934cf43y5ji38dd3qc7yii8xwj-etc.drv'","type":105}`)
}

func benchmarkParse(b *testing.B, line string) {
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	var ev event
	for b.Loop() {
		if !parseEvent(line, &ev) {
			b.Fatal(line)
		}
	}
}

// A build of one derivation that logs much, followed as Build does.
func BenchmarkBuildLog(b *testing.B) {
	g := newBuildLog(func(BuildEvent) {})
	g.line(`@nix {"action":"start","fields":["/nix/store/2in81c934cf43y5ji38dd3qc7yii8xwj-etc.drv","",1,1],"id":7,"level":3,"parent":0,"text":"","type":105}`)
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = fmt.Sprintf(`@nix {"action":"result","fields":["line %d"],"id":7,"type":101}`, i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		g.line(lines[i%len(lines)])
		i++
	}
}
