package signals

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"
)

// asMage makes the test binary a program as Mage writes them.
const asMage = "FLOTILLA_TEST_AS_MAGE"

func TestMain(m *testing.M) {
	if os.Getenv(asMage) != "" {
		likeMage()
		return
	}
	os.Exit(m.Run())
}

// likeMage runs a target as Mage's template does, on a machine that is busy when it is
// about to have its own handler.
func likeMage() {
	over := make(chan struct{})
	go func() {
		Take()
		got := make(chan os.Signal, 1)
		signal.Notify(got, os.Interrupt)
		fmt.Println("target")
		<-got
		close(over)
	}()
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
	}
	mages := make(chan os.Signal, 1)
	signal.Notify(mages, syscall.SIGINT)
	fmt.Println("mage")
	select {
	case <-mages:
		os.Exit(1)
	case <-over:
	}
	if len(mages) > 0 {
		os.Exit(1)
	}
}

// Ctrl-C is the target's alone, though Mage has its handler only after it has started
// the target.
func TestTake(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asMage+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for scan := bufio.NewScanner(out); len(lines) < 2 && scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	if slices.Sort(lines); !slices.Equal(lines, []string{"mage", "target"}) {
		t.Errorf("%q", lines)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Mage had the signal too: %v", err)
	}
}

func TestMainWaits(t *testing.T) {
	for stacks, want := range map[string]bool{
		"goroutine 7 [running]:\nf()\n\ngoroutine 1 [select]:\nmain.main()\n":              true,
		"goroutine 7 [running]:\nf()\n\ngoroutine 1 [select, 2 minutes]:\nmain.main()\n":   true,
		"goroutine 7 [running]:\nf()\n\ngoroutine 1 [chan receive]:\ntesting.(*T).Run()\n": true,
		"goroutine 7 [running]:\nf()\n\ngoroutine 1 [runnable]:\nmain.main()\n":            false,
		"goroutine 7 [running]:\nf()\n\ngoroutine 1 [running]:\nmain.main()\n":             false,
		"goroutine 7 [running]:\nf()\n\ngoroutine 11 [select]:\nmain.main()\n":             false,
		"goroutine 1 [running]:\nmain.main()\n":                                            true,
		"":                                                                                 false,
	} {
		if got := mainWaits(stacks); got != want {
			t.Errorf("%q: %v", stacks, got)
		}
	}
}
