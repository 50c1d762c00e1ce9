package sshpool

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// helperEnv makes the test binary act as another program using the package.
const helperEnv = "FLOTILLA_TEST_SSHPOOL_HELPER"

type helperCall struct {
	Config Config
	Target Target
	Argv   []string
}

type helperAnswer struct {
	Stats  Stats
	Stdout string
	Err    string
}

// socketProgram makes the test binary the program of Config.SocketProgram, which writes a
// line to the file socketsEnv names.
const (
	socketProgram = "pass-socket"
	socketsEnv    = "FLOTILLA_TEST_SSHPOOL_SOCKETS"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == socketProgram {
		os.Exit(socketMain(os.Args[2:]))
	}
	if call := os.Getenv(helperEnv); call != "" {
		helper(call)
		return
	}
	testscript.Main(m, map[string]func(){"fakessh": fakeSSH, "pool": poolCommand})
}

func socketMain(args []string) int {
	if name := os.Getenv(socketsEnv); name != "" {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return 2
		}
		fmt.Fprintln(f, strings.Join(args[:2], " "))
		_ = f.Close()
	}
	if err := PassSocket(context.Background(), args); err != nil {
		return 1
	}
	return 0
}

func helper(call string) {
	var c helperCall
	var a helperAnswer
	if err := json.Unmarshal([]byte(call), &c); err != nil {
		a.Err = err.Error()
	} else if err := c.do(&a); err != nil {
		a.Err = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(a)
}

func (c helperCall) do(a *helperAnswer) error {
	p, err := New(c.Config)
	if err != nil {
		return err
	}
	ctx := context.Background()
	conn, err := p.Connect(ctx, c.Target)
	if err != nil {
		return err
	}
	res, err := conn.Run(ctx, Cmd{Argv: c.Argv})
	a.Stdout = string(res.Stdout)
	a.Stats = p.Stats()
	return errors.Join(err, conn.Close(ctx), p.Close(ctx))
}

// fakeSSH copies the file $FAKE_SSH_SAYS to ssh's log and exits with
// $FAKE_SSH_CODE; with $FAKE_SSH_HANG it reads a pipe nobody writes to.
func fakeSSH() {
	if slices.Contains(os.Args, "-G") {
		return // no setting of interest
	}
	for i, a := range os.Args {
		if a != "-E" || i+1 == len(os.Args) {
			continue
		}
		says, err := os.ReadFile(os.Getenv("FAKE_SSH_SAYS"))
		if err == nil {
			err = os.WriteFile(os.Args[i+1], says, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if f := os.Getenv("FAKE_SSH_ARGV"); f != "" {
		_ = os.WriteFile(f, []byte(strings.Join(os.Args, "\n")+"\n"), 0o600)
	}
	if fifo := os.Getenv("FAKE_SSH_HANG"); fifo != "" {
		_, _ = os.ReadFile(fifo)
	}
	code, _ := strconv.Atoi(os.Getenv("FAKE_SSH_CODE"))
	os.Exit(code)
}

// poolCommand is `pool HOST [TIMEOUT-SECONDS]`: it connects and prints what an
// error says.
func poolCommand() {
	os.Exit(poolMain(os.Args[1:]))
}

func poolMain(args []string) int {
	dir, err := os.MkdirTemp("/tmp", "fp")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c := Config{Dir: dir, Program: cmp.Or(os.Getenv("FAKE_SSH_PROGRAM"), "fakessh")}
	if len(args) > 1 {
		d, err := strconv.Atoi(args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		c.ConnectTimeout = secondsOf(d)
	}
	p, err := New(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	_, err = p.Connect(ctx, Target{Host: args[0]})
	var e *Error
	if !errors.As(err, &e) {
		fmt.Printf("no *Error but %v\n", err)
		return 1
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "error: %v\nkind: %v\nnot started: %v\ncode: %d\nhint: %s\n", e, e.Kind, e.NotStarted, e.ExitCode, e.Hint)
	_, _ = os.Stdout.Write(b.Bytes())
	if err := p.Close(ctx); err != nil {
		fmt.Println(err)
	}
	return 0
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
