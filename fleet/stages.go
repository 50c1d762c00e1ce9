package fleet

import (
	"runtime"

	"golang.org/x/sync/semaphore"
)

// stages holds one limit for each stage, so that a host that waits in one does
// not hold up those in another.
type stages struct {
	sessions, evaluations, builds, copies, activations *semaphore.Weighted
	// commands are health checks that run here.
	commands *semaphore.Weighted
	// queries are short questions to this machine's store.
	queries *semaphore.Weighted
	// asides are such questions that nobody waits for.
	asides *semaphore.Weighted
	// compressions are copies over a link that is compressed, which takes a core.
	compressions *semaphore.Weighted
	// pushes is what goes to the fleet's cache: one at a time, so that what hosts share
	// is sent once.
	pushes *semaphore.Weighted
	// memory is that of evaluations, which wait for it once they have one of the
	// places.
	memory *memory
}

func newStages(l Limits) stages {
	weighted := func(n, otherwise int) *semaphore.Weighted { return semaphore.NewWeighted(int64(or(n, otherwise))) }
	evaluations := or(l.Evaluations, runtime.NumCPU())
	return stages{
		sessions:     weighted(l.Sessions, 64),
		evaluations:  weighted(evaluations, 0),
		builds:       weighted(l.Builds, runtime.NumCPU()),
		copies:       weighted(l.Copies, 4),
		activations:  weighted(l.Activations, 16),
		commands:     weighted(0, 32),
		queries:      weighted(0, runtime.NumCPU()),
		asides:       weighted(0, runtime.NumCPU()),
		compressions: weighted(0, runtime.NumCPU()),
		pushes:       weighted(0, 1),
		memory:       &memory{limit: l.Memory, places: evaluations, available: func() int64 { return availableMemory("/") }},
	}
}
