// Command embed deploys a fleet from a program of one's own: it tests every
// host, and deploys those with a tag if all tests passed.
//
//	go run ./examples/embed DIR TAG
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/nixflotilla/flotilla/fleet"
)

// passSocket is the first argument with which this program connects to a host for its ssh, which
// makes new connections faster; see fleet.Config.SocketProgram.
const passSocket = "pass-socket"

func main() {
	if len(os.Args) > 1 && os.Args[1] == passSocket {
		if err := fleet.PassSocket(context.Background(), os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: embed DIR TAG")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code, err := run(ctx, os.Args[1], os.Args[2])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
	}
	os.Exit(code)
}

// run returns the exit code, and an error if something is wrong that no report
// tells.
func run(ctx context.Context, dir, tag string) (int, error) {
	config := fleet.Config{Dir: dir, Sink: fleet.SinkFunc(print)}
	if self, err := os.Executable(); err == nil {
		config.SocketProgram = []string{self, passSocket}
	}
	f, err := fleet.Open(config)
	if err != nil {
		return fleet.ExitFailed, err
	}
	defer f.Close(context.WithoutCancel(ctx))

	all, err := f.Select(ctx, "")
	if err != nil {
		return fleet.ExitFailed, err
	}
	tested := f.Test(ctx, all, fleet.TestOptions{})
	if code := tested.ExitCode(); code != fleet.ExitOK {
		return code, tested.Err()
	}
	hosts, err := f.Select(ctx, "@"+tag)
	if err != nil {
		return fleet.ExitFailed, err
	}
	deployed := f.Deploy(ctx, hosts, fleet.DeployOptions{})
	for _, r := range deployed.Results {
		fmt.Printf("%s: %s (%s)\n", r.Host.Name, r.Outcome, r.Reason)
	}
	return deployed.ExitCode(), deployed.Err()
}

func print(e fleet.Event) {
	if e.Kind == fleet.KindDone {
		fmt.Fprintf(os.Stderr, "%s: %s took %s\n", e.Host, e.Step, e.Duration)
	}
}
