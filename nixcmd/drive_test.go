package nixcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// drive is the client as a command, for scripts: it calls one method and prints
// what came of it. Its exit code is 1 if that was an error.
func drive() {
	cfg := Config{Program: os.Getenv("NIX"), Grace: 50 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cancelOn := os.Getenv("CANCEL_ON")
	told := func(text string) {
		if cancelOn != "" && strings.Contains(text, cancelOn) {
			cancel()
		}
	}
	op, args := os.Args[1], os.Args[2:]
	options := map[string]bool{}
	for len(args) > 0 && strings.HasPrefix(args[0], "+") {
		options[args[0][1:]] = true
		args = args[1:]
	}
	if options["configured"] {
		cfg.AcceptFlakeConfig = true
		cfg.Options = []Option{{"connect-timeout", "5"}, {"substituters", "https://a https://b"}}
		cfg.Env = []string{"EXTRA=1"}
	}
	nix := New(cfg)
	var err error
	switch op {
	case "version":
		err = driveVersion(ctx, nix, len(args))
	case "evaluate":
		err = driveEvaluate(ctx, nix, args, EvaluateOptions{ShowTrace: options["trace"], Log: func(l LogLine) {
			if options["log"] {
				fmt.Printf("log %d %s:%d:%d %q\n", l.Level, l.File, l.Line, l.Column, l.Text)
			}
			told(l.Text)
		}})
	case "build":
		opt := BuildOptions{KeepGoing: options["keep-going"], Fallback: options["fallback"], Progress: func(e BuildEvent) {
			if options["progress"] {
				printBuildEvent(e)
			}
			told(e.Text)
		}}
		if options["cache"] {
			opt.Cache = Cache{URL: "http://p620:5000", PublicKey: "p620:key=", ConnectTimeout: 4200 * time.Millisecond}
		}
		if options["link"] {
			opt.OutLink = "result"
		}
		if options["store"] {
			opt.Store, opt.SSHOpts, args = args[0], os.Getenv("SSHOPTS"), args[1:]
		}
		var paths []StorePath
		paths, err = nix.Build(ctx, storePaths(args), opt)
		printJSON(paths, err)
	case "copy":
		err = nix.Copy(ctx, storePaths(args[1:]), CopyOptions{
			To: args[0], SSHOpts: os.Getenv("SSHOPTS"),
			NoCheckSigs: options["no-check-sigs"], SubstituteOnDestination: options["substitute"],
			Progress: func(e CopyEvent) {
				if e.Text == "" {
					return // how much was written is no two times the same
				}
				fmt.Printf("copy %d/%d %s %q\n", e.Done, e.Expected, e.Path, e.Text)
				told(e.Text)
			},
		})
	case "fetch":
		err = nix.Fetch(ctx, storePaths(args[1:]), FetchOptions{
			From: args[0], SSHOpts: os.Getenv("SSHOPTS"), NoCheckSigs: options["no-check-sigs"],
			Progress: func(e CopyEvent) { fmt.Printf("copy %d/%d %s %q\n", e.Done, e.Expected, e.Path, e.Text) },
		})
	case "closure":
		var infos []PathInfo
		infos, err = nix.Closure(ctx, storePaths(args)[0])
		printJSON(infos, err)
	default:
		err = fmt.Errorf("no operation %q", op)
	}
	if err != nil {
		printError(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func storePaths(args []string) []StorePath {
	paths := make([]StorePath, len(args))
	for i, a := range args {
		paths[i] = StorePath(a)
	}
	return paths
}

// driveVersion asks so many times at once.
func driveVersion(ctx context.Context, nix *Client, times int) error {
	var wg sync.WaitGroup
	versions, errs := make([]Version, times), make([]error, times)
	for i := range times {
		wg.Go(func() { versions[i], errs[i] = nix.Version(ctx) })
	}
	wg.Wait()
	for i, v := range versions {
		if v != versions[0] {
			return fmt.Errorf("answers differ: %v and %v", v, versions[0])
		}
		if errs[i] != nil {
			return errs[i]
		}
	}
	fmt.Println(versions[0])
	return nil
}

func driveEvaluate(ctx context.Context, nix *Client, args []string, opt EvaluateOptions) error {
	what, err := FlakeAttr(args[0], args[1:]...)
	if err != nil {
		return err
	}
	ev, err := nix.Evaluate(ctx, what, opt)
	if err == nil {
		if ev.Usage.Duration <= 0 || ev.Usage.MaxRSS <= 0 {
			return fmt.Errorf("no usage: %+v", ev.Usage)
		}
		ev.Usage = Usage{}
	}
	printJSON(ev, err)
	return err
}

func printBuildEvent(e BuildEvent) {
	names := []string{"", "started", "phase", "log", "stopped", "failed", "fetch", "fetched", "send", "progress", "message"}
	t := e.Totals
	fmt.Printf("%s %s%s %q builds %d/%d +%d -%d fetches %d/%d bytes %d/%d\n", names[e.Kind],
		e.Derivation.Name(), e.Path.Name(), e.Text+e.Machine+e.Source,
		t.BuildsDone, t.BuildsExpected, t.BuildsRunning, t.BuildsFailed,
		t.FetchesDone, t.FetchesExpected, t.BytesDone, t.BytesExpected)
}

func printJSON(v any, err error) {
	if err != nil {
		return
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err)
	}
}

// printError prints all that an error says; Argv and Stderr only if they are
// missing where they should not be.
func printError(err error) {
	fmt.Printf("error %T: %v\n", err, err)
	if h, ok := err.(interface{ Hint() string }); ok {
		fmt.Println("hint:", h.Hint())
	}
	if errors.Is(err, context.Canceled) {
		fmt.Println("cancelled")
	}
	var eval *EvalError
	var build *BuildError
	var copied *CopyError
	var general *Error
	switch {
	case errors.As(err, &eval):
		fmt.Printf("message %q\nat %s:%d:%d\n", eval.Message, eval.File, eval.Line, eval.Column)
		for _, t := range eval.Trace {
			fmt.Println("trace", t)
		}
		printCommand(eval.Argv, eval.ExitCode, eval.Stderr)
	case errors.As(err, &build):
		for _, f := range build.Failed {
			fmt.Printf("failed %s: %s\n", f.Derivation.Name(), f.Reason)
			if n := len(f.LogTail); n > 0 {
				fmt.Printf("\t%d lines, %q to %q\n", n, f.LogTail[0], f.LogTail[n-1])
			}
		}
		for _, m := range build.Messages {
			first, _, _ := strings.Cut(m, "\n")
			fmt.Printf("message %q\n", first)
		}
		printCommand(build.Argv, build.ExitCode, build.Stderr)
	case errors.As(err, &copied):
		fmt.Printf("message %q\n", copied.Message)
		printCommand(copied.Argv, copied.ExitCode, copied.Stderr)
	case errors.As(err, &general):
		printCommand(general.Argv, general.ExitCode, general.Stderr)
	}
}

func printCommand(argv []string, code int, stderr string) {
	fmt.Printf("exit %d, %d arguments, standard error", code, len(argv))
	if strings.Contains(stderr, "@nix") || strings.Contains(stderr, "\x1b") {
		fmt.Print(" NOT READABLE")
	}
	if i := strings.IndexByte(stderr, '\n'); i >= 0 {
		stderr = stderr[:i] + " …"
	}
	fmt.Printf(" %q\n", stderr)
}
