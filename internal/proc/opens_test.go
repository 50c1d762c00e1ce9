//go:build linux

package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What a child opens is known, and not what its children do, nor what others do at the same time.
func TestOpens(t *testing.T) {
	if probe, err := Run(t.Context(), Cmd{Argv: []string{"cat", os.DevNull}, WatchOpens: true}); err != nil || !probe.OpensKnown {
		t.Skipf("the kernel does not tell: %v", err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		name := filepath.Join(dir, fmt.Sprint("own", i))
		if err := os.WriteFile(name, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			res, err := Run(t.Context(), Cmd{
				Argv: []string{"sh", "-c", `cat "$1"; exec 3<"$2"; cd "$3"; exec 4<../relative`, "sh", dir + "/of-a-child", name, dir + strings.Repeat("/.", 1500)}, Dir: dir, WatchOpens: true,
			})
			if err == nil {
				t.Error("what is not there was opened")
			}
			own := slices.DeleteFunc(res.Opens, func(p string) bool { return !strings.HasPrefix(p, filepath.Dir(dir)) })
			want := []string{name, filepath.Join(filepath.Dir(dir), "relative")}
			if !res.OpensKnown || !slices.Equal(own, want) {
				t.Errorf("%v, %q, want %q", res.OpensKnown, own, want)
			}
		})
	}
	all.Wait()
}

// A child that is killed, one that cannot be started and one that leaves another behind are as
// they are otherwise.
func TestOpensOfWhatEnds(t *testing.T) {
	if _, err := Run(t.Context(), Cmd{Argv: []string{filepath.Join(t.TempDir(), "none")}, WatchOpens: true}); err == nil {
		t.Error("what is not there was started")
	}
	res, err := Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "kill -9 $$"}, WatchOpens: true})
	if err == nil || res.Code != -1 {
		t.Errorf("%v, %+v", err, res)
	}
	fifo := filepath.Join(t.TempDir(), "left")
	if _, err := Run(t.Context(), Cmd{Argv: []string{"sh", "-c", `mkfifo "$1"; (read -r x <"$1"; cat /dev/null && echo went on >"$1.out") >/dev/null 2>&1 &`, "sh", fifo}, WatchOpens: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fifo, []byte("x\n"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Cmd{Argv: []string{"sh", "-c", `until [ -s "$1.out" ]; do sleep 0.01; done`, "sh", fifo}}); err != nil {
		t.Error(err)
	}
}

// No thread of this process is left with a filter.
func TestOpensLeaveNothing(t *testing.T) {
	filtered := func() (threads []string) {
		tasks, err := filepath.Glob("/proc/self/task/*/status")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			status, _ := os.ReadFile(task) // it may have ended
			if strings.Contains(string(status), "NoNewPrivs:\t1") {
				threads = append(threads, task)
			}
		}
		return threads
	}
	if len(filtered()) > 0 {
		t.Skip("this process has no new rights to begin with")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				if _, err := Run(t.Context(), Cmd{Argv: []string{"true"}, WatchOpens: true}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for range 1000 { // a thread ends after what it was for
		if len(filtered()) == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%q", filtered())
}
