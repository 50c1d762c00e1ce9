package main

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"
)

// memory is a port at either end: it gives what it has, then fails, and keeps
// what it gets with the time it came.
type memory struct {
	give [][]byte
	got  [][]byte
	at   []time.Time
	fail error
}

func (m *memory) read(buf []byte) (int, error) {
	if len(m.give) == 0 {
		return 0, io.EOF
	}
	n := copy(buf, m.give[0])
	m.give = m.give[1:]
	return n, nil
}

func (m *memory) write(frame []byte) error {
	m.got = append(m.got, frame)
	m.at = append(m.at, time.Now())
	return m.fail
}

func none() bool { return false }

func TestCarryKeepsOrderAndDelay(t *testing.T) {
	const delay = 30 * time.Millisecond
	frames := [][]byte{[]byte("one"), []byte("two"), []byte("three")}
	from, to := &memory{give: slices.Clone(frames)}, &memory{}
	started := time.Now()
	if err := carry(from, to, delay, none); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want the end of the source", err)
	}
	if !slices.EqualFunc(to.got, frames, slices.Equal) {
		t.Errorf("got %q, want %q", to.got, frames)
	}
	for i, at := range to.at {
		if held := at.Sub(started); held < delay {
			t.Errorf("frame %d was held for %s only", i, held)
		}
	}
}

func TestCarryLosesWhatDoesNotFit(t *testing.T) {
	from, to := &memory{}, &memory{}
	for range maxQueued + 100 {
		from.give = append(from.give, []byte("x"))
	}
	// Long enough for all to be read before the first is due.
	if err := carry(from, to, 300*time.Millisecond, none); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if n := len(to.got); n < maxQueued || n >= maxQueued+100 {
		t.Errorf("%d of %d arrived, want about %d", n, maxQueued+100, maxQueued)
	}
}

func TestCarryLosesItsShare(t *testing.T) {
	from, to := &memory{}, &memory{}
	for range 4000 {
		from.give = append(from.give, []byte("x"))
	}
	if err := carry(from, to, time.Millisecond, share(5)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	// Beyond ten standard deviations from 200.
	if n := 4000 - len(to.got); n < 60 || n > 340 {
		t.Errorf("%d of 4000 were lost, want about 200", n)
	}
}

func TestCarryEndsWhenTheDestinationFails(t *testing.T) {
	gone := errors.New("gone")
	from, to := &memory{give: [][]byte{[]byte("x")}}, &memory{fail: gone}
	if err := carry(from, to, time.Millisecond, none); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
}

func TestRelayRefusesNonsense(t *testing.T) {
	for _, err := range []error{relay("", "x", 1, 0), relay("x", "", 1, 0), relay("x", "y", 0, 0), relay("x", "y", 1, 100), relay("no-such-link", "y", 1, 0)} {
		if err == nil {
			t.Error("accepted")
		}
	}
}
