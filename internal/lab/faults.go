package lab

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Faults of a link are remembered: they hold through power cuts, and until they
// are taken back or the lab is taken down. They can be set while a machine is
// off.

// Cut pulls a machine's network cable. Packets are lost in both directions, and
// connections stay open until their owners give up.
func (l *Lab) Cut(ctx context.Context, machine string) error {
	return l.fault(ctx, "cut", machine, func(f *faults) error {
		f.Cut = true
		return nil
	})
}

// Restore plugs the cable back in.
func (l *Lab) Restore(ctx context.Context, machine string) error {
	return l.fault(ctx, "restore", machine, func(f *faults) error {
		f.Cut = false
		return nil
	})
}

// maxLatency bounds what the relay has to hold.
const maxLatency = 10 * time.Second

// Latency adds to the round-trip time of everything a machine sends and
// receives, half in each direction; 0 takes it back. It may be at most 10 s.
func (l *Lab) Latency(ctx context.Context, machine string, rtt time.Duration) error {
	return l.fault(ctx, "set latency", machine, func(f *faults) error {
		if rtt < 0 || rtt > maxLatency {
			return &Error{Op: "set latency", Machine: machine, Err: fmt.Errorf("%s is out of range", rtt),
				Fix: fmt.Sprintf("use 0 to %s", maxLatency)}
		}
		f.Latency = rtt
		return nil
	})
}

// maxLoss is where TCP hardly gets on any more.
const maxLoss = 50

// Loss loses so many per cent of the frames that a machine sends, and of those that
// it would receive, at random; 0 takes it back. It may be at most 50.
func (l *Lab) Loss(ctx context.Context, machine string, percent float64) error {
	return l.fault(ctx, "set loss", machine, func(f *faults) error {
		if !(percent >= 0 && percent <= maxLoss) { // NaN is neither
			return &Error{Op: "set loss", Machine: machine, Err: fmt.Errorf("%g %% is out of range", percent),
				Fix: fmt.Sprintf("use 0 to %d", maxLoss)}
		}
		f.Loss = percent
		return nil
	})
}

// minBandwidth is where a single frame takes more than a second.
const minBandwidth = 10_000

// Bandwidth limits a machine's link to so many bits per second, in each
// direction; 0 takes it back. It must be at least 10000.
func (l *Lab) Bandwidth(ctx context.Context, machine string, bitsPerSecond int64) error {
	return l.fault(ctx, "set bandwidth", machine, func(f *faults) error {
		if bitsPerSecond != 0 && bitsPerSecond < minBandwidth {
			return &Error{Op: "set bandwidth", Machine: machine, Err: fmt.Errorf("%d bit/s is out of range", bitsPerSecond),
				Fix: fmt.Sprintf("use 0 or at least %d", minBandwidth)}
		}
		f.Bandwidth = bitsPerSecond
		return nil
	})
}

// fault changes a machine's recorded faults and its link accordingly. They are
// recorded first: a record without the fault is put right by the next change
// or power-on, a fault without a record never would be.
func (l *Lab) fault(ctx context.Context, op, machine string, change func(*faults) error) error {
	if err := checkMachine(op, machine); err != nil {
		return err
	}
	lock, err := l.lock(ctx)
	if err != nil {
		return fail(op, machine, err)
	}
	defer lock.unlock()
	s, err := loadState(l.path.state())
	if err != nil {
		return fail(op, machine, err)
	}
	if s.Image == "" {
		return &Error{Op: op, Machine: machine, Err: ErrNotRunning, Fix: "bring the lab up first"}
	}
	var failed error
	s.setFaults(machine, func(f *faults) { failed = change(f) })
	if failed != nil {
		return failed
	}
	if err := s.save(l.path.state()); err != nil {
		return fail(op, machine, err)
	}
	if pid, err := l.leader(machine); err != nil || pid == 0 {
		return fail(op, machine, err)
	}
	return fail(op, machine, l.applyFaults(ctx, machine, s.Machines[machine]))
}

// applyFaults makes a machine's link what it should be, whatever it was. The
// cable comes last, so that a link that is restored is at once as it is to be.
func (l *Lab) applyFaults(ctx context.Context, machine string, f faults) error {
	return errors.Join(
		l.applyBandwidth(ctx, machine, f.Bandwidth),
		l.applyRelay(ctx, machine, f.Latency, f.Loss),
		l.setLink(ctx, machine, !f.Cut),
	)
}
