package nixcmd

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// action is what an event of Nix's internal-json log is about.
type action uint8

const (
	actStart action = iota + 1
	actStop
	actResult
	actMsg
)

// The types of activities and of results that this package makes use of
// (src/libutil/include/nix/util/logging.hh; the numbers have not changed since
// Nix 2.4, later versions add to them).
const (
	activityCopyPath   = 100
	activityRealise    = 102
	activityCopyPaths  = 103
	activityBuilds     = 104
	activityBuild      = 105
	activitySubstitute = 108

	resultBuildLogLine = 101
	resultSetPhase     = 104
	resultProgress     = 105
	resultSetExpected  = 106
)

// event is one line of the log. Which fields are set depends on action.
type event struct {
	action     action
	id, parent uint64
	typ        int
	level      Level
	text       string // of start and msg; may hold colours
	raw        string // of msg: the same without its prefix and context
	file       string
	line, col  int
	trace      []frame
	fields     [4]field
}

// field is an argument of an activity or result: a string or a number, the
// other being zero.
type field struct {
	s string
	n int64
}

// frame is one entry of an error's trace.
type frame struct {
	Raw    string `json:"raw_msg"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

const eventPrefix = "@nix "

// parseEvent reads a line of the log into ev. It reports false for a line that
// is no event, be it text of another program or something that looks like an
// event and is not understood: the caller then has text. Unknown types, keys and
// further fields are let through or ignored.
//
// Nix writes a result for every token of an archive it unpacks, so results and
// stops in the form that Nix gives them are read without allocating; anything
// else is left to encoding/json.
func parseEvent(line string, ev *event) bool {
	body, ok := strings.CutPrefix(line, eventPrefix)
	if !ok {
		return false
	}
	*ev = event{}
	if parseFast(body, ev) {
		return true
	}
	*ev = event{}
	return parseSlow(body, ev)
}

// parseFast reads {"action":"result","fields":[…],"id":N,"type":N} and
// {"action":"stop","id":N}, exactly so written and with fields that are numbers
// or plain ASCII without escapes. false says nothing of the line.
func parseFast(s string, ev *event) bool {
	if rest, ok := strings.CutPrefix(s, `{"action":"stop","id":`); ok {
		ev.action = actStop
		id, rest, ok := digits(rest)
		ev.id = id
		return ok && rest == "}"
	}
	rest, ok := strings.CutPrefix(s, `{"action":"result","fields":[`)
	if !ok {
		return false
	}
	ev.action = actResult
	for i := range ev.fields {
		if rest, ok = fastField(rest, &ev.fields[i]); !ok || rest == "" {
			return false
		}
		if rest[0] != ',' {
			break
		}
		rest = rest[1:]
	}
	if rest, ok = strings.CutPrefix(rest, `],"id":`); !ok {
		return false
	}
	if ev.id, rest, ok = digits(rest); !ok {
		return false
	}
	if rest, ok = strings.CutPrefix(rest, `,"type":`); !ok {
		return false
	}
	typ, rest, ok := digits(rest)
	ev.typ = int(typ)
	return ok && typ <= math.MaxInt32 && rest == "}"
}

func fastField(s string, f *field) (rest string, ok bool) {
	if s == "" || s[0] != '"' {
		n, rest, ok := digits(s)
		f.n = int64(n)
		return rest, ok && n <= math.MaxInt64
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			f.s = s[1:i]
			return s[i+1:], true
		case c == '\\' || c < ' ' || c > '~':
			return s, false
		}
	}
	return s, false
}

// digits reads a JSON number without sign, fraction or leading zeros, of at most
// 18 digits.
func digits(s string) (n uint64, rest string, ok bool) {
	i := 0
	for i < len(s) && i < 18 && s[i] >= '0' && s[i] <= '9' {
		n = n*10 + uint64(s[i]-'0')
		i++
	}
	if i == 0 || i > 1 && s[0] == '0' || i < len(s) && s[i] >= '0' && s[i] <= '9' {
		return 0, s, false
	}
	return n, s[i:], true
}

func parseSlow(s string, ev *event) bool {
	var in struct {
		Action string   `json:"action"`
		ID     number   `json:"id"`
		Parent number   `json:"parent"`
		Type   number   `json:"type"`
		Level  number   `json:"level"`
		Text   string   `json:"text"`
		Msg    string   `json:"msg"`
		Raw    string   `json:"raw_msg"`
		File   string   `json:"file"`
		Line   number   `json:"line"`
		Column number   `json:"column"`
		Trace  []frame  `json:"trace"`
		Fields fieldSet `json:"fields"`
	}
	if json.Unmarshal([]byte(s), &in) != nil {
		return false
	}
	switch in.Action {
	case "start":
		ev.action, ev.text = actStart, in.Text
	case "stop":
		ev.action = actStop
	case "result":
		ev.action = actResult
	case "msg":
		ev.action, ev.text = actMsg, in.Msg
	default:
		return false
	}
	ev.id, ev.parent = uint64(in.ID), uint64(in.Parent)
	ev.typ, ev.level = int(in.Type), Level(in.Level)
	ev.raw, ev.file, ev.line, ev.col = in.Raw, in.File, int(in.Line), int(in.Column)
	ev.trace, ev.fields = in.Trace, in.Fields
	return true
}

// number is a JSON number that may be missing or null; one that is no unsigned
// integer is 0.
type number uint64

func (n *number) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseUint(string(data), 10, 64)
	if err == nil {
		*n = number(v)
	}
	return nil
}

// fieldSet keeps the first fields of an event, whatever they are.
type fieldSet [4]field

func (f *fieldSet) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if json.Unmarshal(data, &raw) != nil {
		return nil
	}
	for i := range min(len(raw), len(f)) {
		if raw[i][0] == '"' {
			if err := json.Unmarshal(raw[i], &f[i].s); err != nil {
				return err
			}
			continue
		}
		if n, err := strconv.ParseInt(string(raw[i]), 10, 64); err == nil {
			f[i].n = n
		}
	}
	return nil
}

// logLine is the message of an event whose action is actMsg.
func (ev *event) logLine() LogLine {
	l := LogLine{Level: ev.level, Text: strings.TrimSpace(plain(ev.text))}
	l.File, l.Line, l.Column = position(ev.file, ev.line, ev.col)
	return l
}

// message is the text of a message without the "error: " or "warning: " that
// Nix puts before it and without the trace.
func (ev *event) message() string {
	if ev.raw != "" {
		return strings.TrimSpace(plain(ev.raw))
	}
	text := strings.TrimSpace(plain(ev.text))
	for _, prefix := range []string{"error: ", "warning: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return strings.TrimSpace(text)
}

// position undoes Nix's habit of repeating line and column after the file name,
// and of naming a file where there is none («none»:0).
func position(file string, line, col int) (string, int, int) {
	file = strings.TrimSuffix(file, ":"+strconv.Itoa(line)+":"+strconv.Itoa(col))
	if line <= 0 || file == "" {
		return "", 0, 0
	}
	return file, line, col
}

// isTrace reports whether a message is the output of builtins.trace, which Nix
// logs at the level of errors.
func (ev *event) isTrace() bool {
	return ev.raw == "" && strings.HasPrefix(ev.text, tracePrefix)
}

const tracePrefix = "trace: "
