package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	bridge = "br0"
	// hostLink is the name of a machine's only interface, as systemd-nspawn(1)
	// calls it. The other end bears the machine's name and is a bridge port.
	hostLink = "host0"
)

// netnsExists is true for a namespace that was made completely: ip-netns(8)
// makes a plain file and mounts the namespace on it.
func netnsExists(name string) bool {
	var st unix.Statfs_t
	return unix.Statfs(netnsPath(name), &st) == nil && st.Type == unix.NSFS_MAGIC
}

func deleteNetns(ctx context.Context, name string) error {
	if _, err := os.Lstat(netnsPath(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if netnsExists(name) {
		return run(ctx, "ip", "netns", "delete", name)
	}
	return os.Remove(netnsPath(name))
}

func (l *Lab) bridgeExists(ctx context.Context) bool {
	return netnsExists(l.path.network()) &&
		run(ctx, "ip", "-netns", l.path.network(), "link", "show", "dev", bridge) == nil
}

func (l *Lab) makeBridge(ctx context.Context) error {
	name := l.path.network()
	if err := deleteNetns(ctx, name); err != nil {
		return err
	}
	if err := run(ctx, "ip", "netns", "add", name); err != nil {
		return err
	}
	return ipBatch(ctx, name,
		"link set lo up",
		"link add "+bridge+" type bridge stp_state 0 forward_delay 0",
		"link set "+bridge+" addrgenmode none",
		"link set "+bridge+" up",
	)
}

// ipBatch runs ip(8) commands in a network namespace, in one process. Their
// words are all of the lab's own making.
func ipBatch(ctx context.Context, netns string, commands ...string) error {
	return runInput(ctx, strings.Join(commands, "\n")+"\n", "ip", "-netns", netns, "-batch", "-")
}

// plugIn gives a machine a fresh network namespace, linked to the bridge. A new
// one at every power-on, since the old one would still hold the connections of
// the processes that died with the power, and would tell the peers so.
func (l *Lab) plugIn(ctx context.Context, machine string) error {
	if err := l.unplug(ctx, machine); err != nil {
		return err
	}
	name := l.path.name(machine)
	if err := run(ctx, "ip", "netns", "add", name); err != nil {
		return err
	}
	err := ipBatch(ctx, name,
		"link set lo up",
		fmt.Sprintf("link add %s type veth peer name %s netns %s", hostLink, machine, l.path.network()),
		fmt.Sprintf("link set %s addrgenmode none address %s", hostLink, hardwareAddress(machine)),
		fmt.Sprintf("addr add %s/24 dev %s", Address(machine), hostLink),
		fmt.Sprintf("link set %s up", hostLink),
	)
	if err != nil {
		return err
	}
	return ipBatch(ctx, l.path.network(),
		fmt.Sprintf("link set %s addrgenmode none master %s", machine, bridge),
		fmt.Sprintf("link set %s up", machine),
	)
}

// unplug removes a machine's link and namespace. The link goes first, and at
// once: a namespace is taken apart by the kernel later on.
func (l *Lab) unplug(ctx context.Context, machine string) error {
	if netnsExists(l.path.network()) && l.hasPort(ctx, machine) {
		if err := run(ctx, "ip", "-netns", l.path.network(), "link", "delete", machine); err != nil {
			return err
		}
	}
	return deleteNetns(ctx, l.path.name(machine))
}

func (l *Lab) hasPort(ctx context.Context, machine string) bool {
	return run(ctx, "ip", "-netns", l.path.network(), "link", "show", "dev", machine) == nil
}

// setLink pulls or plugs a machine's cable at the bridge's end.
func (l *Lab) setLink(ctx context.Context, machine string, up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	return run(ctx, "ip", "-netns", l.path.network(), "link", "set", machine, state)
}
