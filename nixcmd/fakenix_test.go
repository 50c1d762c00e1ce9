package nixcmd

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/txtar"
)

// fakeNix is a nix that appends its command to $FAKE_LOG and replays a recording:
// $RECORDINGS/$VERSION/NAME.txtar, with NAME from the variable of the
// subcommand ($FAKE_EVAL, $FAKE_BUILD, …). "NAME,kill" prints the recording and
// is then killed; "NAME,hang" waits for an interrupt after it and "NAME,stubborn"
// ignores that.
func fakeNix() {
	args := os.Args[1:]
	variable, name := subcommand(args)
	logCommand(args)
	if s := os.Getenv(variable); s != "" {
		name = s
	}
	name, how, _ := strings.Cut(name, ",")
	stop := make(chan os.Signal, 1)
	if how != "" {
		signal.Notify(stop, os.Interrupt)
	}
	code := replay(name)
	switch how {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hang":
		<-stop
		fmt.Fprintln(os.Stderr, `@nix {"action":"msg","column":null,"file":null,"level":0,"line":null,"msg":"error: interrupted by the user","raw_msg":"interrupted by the user"}`)
		code = 1
	case "stubborn":
		for range stop {
		}
	}
	os.Exit(code)
}

func subcommand(args []string) (variable, name string) {
	line := strings.Join(args, " ")
	switch {
	case strings.HasPrefix(line, "--version"):
		return "FAKE_VERSION", "version"
	case strings.HasPrefix(line, "build "):
		return "FAKE_BUILD", ""
	case strings.HasPrefix(line, "copy "):
		return "FAKE_COPY", ""
	case strings.Contains(line, " --no-eval-cache "):
		return "FAKE_EVAL_UNCACHED", ""
	case strings.Contains(line, " --derivation "):
		return "FAKE_EVAL", ""
	case strings.HasPrefix(line, "path-info "):
		return "FAKE_CLOSURE", "path-info"
	}
	return "FAKE_OUTPUTS", "outputs-web"
}

// logCommand notes how it was called, and what a child must not be given.
func logCommand(args []string) {
	var b strings.Builder
	b.WriteString(filepath.Base(os.Args[0]))
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " '\"") {
			a = strconv.Quote(a)
		}
		b.WriteString(" " + a)
	}
	b.WriteString("\n")
	for _, name := range []string{"NIX_SSHOPTS", "EXTRA"} {
		if v, ok := os.LookupEnv(name); ok {
			fmt.Fprintf(&b, "\t%s=%s\n", name, v)
		}
	}
	if os.Getenv("LC_ALL") != "C" {
		b.WriteString("\tmessages may be translated\n")
	}
	if input, err := io.ReadAll(os.Stdin); err != nil || len(input) > 0 {
		fmt.Fprintf(&b, "\tstandard input is open: %q %v\n", input, err)
	}
	f, err := os.OpenFile(os.Getenv("FAKE_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	_, _ = f.WriteString(b.String())
	_ = f.Close()
}

func replay(name string) (code int) {
	r, err := readRecording(filepath.Join(os.Getenv("RECORDINGS"), os.Getenv("VERSION"), name+".txtar"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake nix:", err)
		os.Exit(99)
	}
	_, _ = os.Stderr.WriteString(r.stderr)
	_, _ = os.Stdout.WriteString(r.stdout)
	return r.code
}

// recording is what a real nix printed.
type recording struct {
	stdout, stderr string
	code           int
}

func readRecording(file string) (recording, error) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		return recording{}, err
	}
	var r recording
	if _, err := fmt.Sscanf(string(a.Comment), "exit %d", &r.code); err != nil {
		return recording{}, fmt.Errorf("%s: %w", file, err)
	}
	for _, f := range a.Files {
		switch f.Name {
		case "stdout":
			r.stdout = string(f.Data)
		case "stderr":
			r.stderr = string(f.Data)
		}
	}
	return r, nil
}
