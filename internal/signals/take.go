// Package signals takes signals from Mage for targets that have to end what they do
// themselves.
package signals

import (
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Take takes Ctrl-C from Mage, whose handler ends the process five seconds after it, in the
// middle of an activation. Mage starts a target before it has that handler
// (mage/template.go, runTarget), which would then come after this and stay: so it is
// waited for, a second at most, in a program that is no Mage's. Whoever calls this is to
// be notified next: until then SIGINT and SIGTERM end the process.
func Take() {
	stacks := make([]byte, 1<<16)
	for range 1000 {
		if mainWaits(string(stacks[:runtime.Stack(stacks, true)])) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM)
}

// mainWaits reports whether the main goroutine waits for others, as Mage's does once it
// has its handler, or is the caller itself, and no Mage's.
func mainWaits(stacks string) bool {
	if strings.HasPrefix(stacks, "goroutine 1 ") {
		return true
	}
	_, rest, _ := strings.Cut(stacks, "\ngoroutine 1 ")
	_, state, _ := strings.Cut(rest, "[")
	return strings.HasPrefix(state, "select") || strings.HasPrefix(state, "chan receive")
}
