package main

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxFrame holds the largest frame that segmentation offload makes, and
	// the virtio header before it.
	maxFrame = 1<<16 + 128
	// maxQueued bounds the frames under way in one direction; what comes on
	// top is lost, as in a router.
	maxQueued = 8192
)

// port is where frames come from and go to. Each frame is one read or write.
type port interface {
	read(buf []byte) (int, error)
	write(frame []byte) error
}

type held struct {
	frame []byte
	due   time.Time
}

// carry moves frames from one port to another, in order, each after its delay, but
// for those that are lost. It returns when a port fails for good.
func carry(from, to port, delay time.Duration, lost func() bool) error {
	queue := make(chan held, maxQueued)
	written := make(chan error, 1)
	go func() { written <- deliver(queue, to) }()
	err := collect(from, queue, delay, lost, written)
	close(queue)
	return errors.Join(err, <-written)
}

func collect(from port, queue chan<- held, delay time.Duration, lost func() bool, failed chan error) error {
	buf := make([]byte, maxFrame)
	for {
		n, err := from.read(buf)
		if err != nil {
			return err
		}
		if lost() {
			continue
		}
		select {
		case queue <- held{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}:
		case err := <-failed:
			failed <- nil
			return err
		default:
		}
	}
}

func deliver(queue <-chan held, to port) error {
	for h := range queue {
		sleepUntil(h.due)
		if err := to.write(h.frame); err != nil {
			return err
		}
	}
	return nil
}

// sleepUntil is exact to some 50 µs; time.Sleep may be a millisecond late,
// which is much of a short delay.
func sleepUntil(due time.Time) {
	for {
		left := time.Until(due)
		if left <= 0 {
			return
		}
		ts := unix.NsecToTimespec(left.Nanoseconds())
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: looked at again
	}
}
