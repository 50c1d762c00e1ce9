package bench

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// control starts small processes and takes memory that it has not had before: what Nix, ssh
// and Git spend much of their time with, and what a neighbour on the same hardware slows
// most. Plain arithmetic hardly notices one.
func control(ctx context.Context) (Sample, error) {
	const processes, memory, page = 20, 64 << 20, 4 << 10
	began := time.Now()
	for range processes {
		if _, err := proc.Run(ctx, proc.Cmd{Argv: []string{"/bin/sh", "-c", ":"}}); err != nil {
			return Sample{}, fmt.Errorf("cannot measure the machine itself: %w", err)
		}
	}
	fresh, err := syscall.Mmap(-1, 0, memory, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return Sample{}, fmt.Errorf("cannot measure the machine itself: no memory: %w", err)
	}
	for i := 0; i < len(fresh); i += page {
		fresh[i] = 1
	}
	if err := syscall.Munmap(fresh); err != nil {
		return Sample{}, err
	}
	return Sample{Duration: time.Since(began)}, nil
}
