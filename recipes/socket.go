package recipes

import (
	"context"
	"fmt"
	"os"

	"github.com/nixflotilla/flotilla/fleet"
)

// passSocket is the first argument with which a program that has these recipes is no Mage but
// connects to a host for an ssh of its own; see fleet.Config.SocketProgram.
const passSocket = "flotilla-pass-socket"

// Mage's main knows targets only, and one would be listed and read the inventory
// first; it knows no argument that may be left out, either. ADR 23 has why this is the one
// init there is.
func init() {
	os.Args = withRevision(os.Args)
	if len(os.Args) < 2 || os.Args[1] != passSocket {
		return
	}
	if err := fleet.PassSocket(context.Background(), os.Args[2:]); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// self is what this program can be started as for as long as it runs; "" if that is not known. Under its
// path there may be another program by then: the next version, or one that knows nothing of passSocket.
func self() string {
	running := fmt.Sprintf("/proc/%d/exe", os.Getpid()) // Linux's
	if _, err := os.Stat(running); err == nil {
		return running
	}
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
