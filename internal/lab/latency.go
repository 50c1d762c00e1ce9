package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// relayPackage is the program that holds packets back.
const relayPackage = "./internal/lab/relay"

// A machine with latency or loss is not connected to the bridge by its own link but by
// a relay's TAP device; the relay carries every frame between the two, late, or loses it.
func tapName(machine string) string { return machine + "-late" }

func (l *Lab) applyRelay(ctx context.Context, machine string, rtt time.Duration, loss float64) error {
	if err := l.stopRelay(ctx, machine); err != nil {
		return err
	}
	if rtt == 0 && loss == 0 {
		return run(ctx, "ip", "-netns", l.path.network(), "link", "set", machine, "master", bridge)
	}
	if err := l.startRelay(ctx, machine, rtt/2, loss); err != nil {
		return err
	}
	return ipBatch(ctx, l.path.network(),
		fmt.Sprintf("link set %s nomaster", machine),
		fmt.Sprintf("link set %s addrgenmode none master %s", tapName(machine), bridge),
		fmt.Sprintf("link set %s up", tapName(machine)),
	)
}

// startRelay returns when the relay's TAP device is there.
func (l *Lab) startRelay(ctx context.Context, machine string, delay time.Duration, loss float64) error {
	if err := l.buildRelay(ctx); err != nil {
		return err
	}
	g, err := findGroup(l.path.relayGroup(machine))
	if err != nil {
		return err
	}
	log := l.path.machine(machine, "relay.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return err
	}
	err = g.start(ctx, log, "nsenter", "--net="+netnsPath(l.path.network()), "--",
		l.path.relay(), "-link", machine, "-tap", tapName(machine), "-delay", delay.String(), "-loss", strconv.FormatFloat(loss, 'g', -1, 64))
	if err != nil {
		return err
	}
	for {
		said, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(said), "ready\n") {
			return nil
		}
		pids, err := g.members()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			said, _ = os.ReadFile(log)
			return fmt.Errorf("the relay ended: %s", proc.LastLine(string(said)))
		}
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// stopRelay ends a machine's relay, if there is one; its TAP device goes with
// it.
func (l *Lab) stopRelay(ctx context.Context, machine string) error {
	g, err := findGroup(l.path.relayGroup(machine))
	if err != nil {
		return err
	}
	return g.kill(ctx)
}

func (l *Lab) buildRelay(ctx context.Context) error {
	if l.cfg.Repo == "" {
		return &Error{Op: "build the relay", Err: errors.New("Config.Repo is empty"), Fix: "set it to the root of Flotilla's source tree"}
	}
	repo, err := filepath.Abs(l.cfg.Repo)
	if err != nil {
		return err
	}
	_, err = tool(ctx, proc.Cmd{
		Argv: []string{"go", "build", "-o", l.path.relay(), relayPackage},
		Dir:  repo,
		Env:  []string{"CGO_ENABLED=0"},
	})
	return err
}
