package sshpool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// One connection for many commands, of this program and of those after it.
func Example() {
	ctx := context.Background()
	pool, err := sshpool.New(sshpool.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer pool.Close(ctx)

	conn, err := pool.Connect(ctx, sshpool.Target{Host: "p620", User: "root"})
	var e *sshpool.Error
	if errors.As(err, &e) {
		fmt.Fprintf(os.Stderr, "%v\n%s\n", e, e.Hint)
		return
	}
	defer conn.Close(ctx)

	res, err := conn.Run(ctx, sshpool.Cmd{Argv: []string{"readlink", "/run/current-system"}})
	fmt.Printf("%s%v\n", res.Stdout, err)
}

// Arguments reach a script as they are, whatever characters they hold.
func ExampleConn_Run() {
	run := func(ctx context.Context, conn *sshpool.Conn, unit string) error {
		_, err := conn.Run(ctx, sshpool.Cmd{
			Script: `systemctl is-active -- "$1" && journalctl --no-pager -n 20 -u "$1"`,
			Argv:   []string{unit},
			Stdout: func(line string) { fmt.Println(line) },
		})
		var exit *sshpool.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("%s is not active (exit code %d)", unit, exit.Code)
		}
		return err // of the connection, or nil
	}
	_ = run
}

// A host is proven to let people in by a connection that shares nothing with the
// one that is open.
func ExampleConn_Fresh() {
	reachable := func(ctx context.Context, conn *sshpool.Conn) bool {
		_, err := conn.Fresh(ctx, sshpool.Cmd{Argv: []string{"true"}})
		return err == nil
	}
	_ = reachable
}

// Hosts behind a jump host share one connection to it. What Options say comes
// before the user's ssh_config.
func ExamplePool_Connect() {
	connect := func(ctx context.Context, pool *sshpool.Pool) (*sshpool.Conn, error) {
		return pool.Connect(ctx, sshpool.Target{Host: "dex5550", Options: []string{"ProxyJump=me@gate"}})
	}
	_ = connect
}

// Connections are kept until they have been idle for so long, or are ended.
func ExamplePool_DisconnectAll() {
	ctx := context.Background()
	pool, err := sshpool.New(sshpool.Config{Persist: time.Hour, HostKeys: sshpool.AcceptNew})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ended, draining, err := pool.DisconnectAll(ctx)
	fmt.Println(ended, draining, err)
}

func ExampleQuote() {
	fmt.Println(sshpool.Quote("echo", "it's", "$HOME", "a b"))
	// Output: echo 'it'\''s' '$HOME' 'a b'
}
