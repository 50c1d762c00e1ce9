package fleet

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sync/semaphore"
)

// stages holds one limit for each stage, so that a host that waits in one does
// not hold up those in another.
type stages struct {
	sessions, evaluations, builds, copies, activations *semaphore.Weighted
	// queries are short questions to this machine's store.
	queries *semaphore.Weighted
}

func newStages(l Limits) stages {
	weighted := func(n, otherwise int) *semaphore.Weighted { return semaphore.NewWeighted(int64(or(n, otherwise))) }
	return stages{
		sessions:    weighted(l.Sessions, 64),
		evaluations: weighted(l.Evaluations, defaultEvaluations()),
		builds:      weighted(l.Builds, runtime.NumCPU()),
		copies:      weighted(l.Copies, 4),
		activations: weighted(l.Activations, 16),
		queries:     weighted(0, runtime.NumCPU()),
	}
}

// defaultEvaluations is one evaluator per core, but no more than one per GiB of
// memory that is available now: a NixOS host takes 0.5 to 1 GiB.
func defaultEvaluations() int {
	n := runtime.NumCPU()
	if gib := availableMemory() >> 30; gib > 0 {
		n = min(n, int(gib))
	}
	return max(n, 1)
}

// availableMemory is MemAvailable of proc(5)'s meminfo in bytes, 0 if unknown.
func availableMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "MemAvailable:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
