package nixcmd

// Level is the importance of a message of Nix; lower is more important (Nix
// manual, "--verbose").
type Level int

// The levels of Nix's messages. -v shows those up to LevelTalkative.
const (
	LevelError Level = iota
	LevelWarn
	LevelNotice
	LevelInfo
	LevelTalkative
	LevelChatty
	LevelDebug
	LevelVomit
)

// LogLine is a message that Nix logged.
type LogLine struct {
	// Level is Nix's own; note that builtins.trace logs at LevelError.
	Level Level
	// Text is the message without colours; it may have several lines.
	Text string
	// File, Line and Column are the position in a Nix expression that the
	// message is about, as Nix shows it; "" and 0 if there is none.
	File         string
	Line, Column int
}
