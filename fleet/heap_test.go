package fleet

import (
	"testing"

	"pgregory.net/rapid"
)

// However much there is, and whoever asks: a claim that was let have more fits
// into what was free, leaves the other places at least as much, and what its heap
// may come to stays below it.
func TestHeaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 1<<45)
		free, places := size.Draw(t, "free"), rapid.IntRange(1, 64).Draw(t, "places")
		m := &memory{limit: free, places: places}
		asked := rapid.Int64Range(1, free).Draw(t, "asked")
		c, err := m.acquire(t.Context(), asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		left, _ := m.free()
		if more := c.bytes - asked; c.bytes < asked || more > 0 && (c.bytes > heapMost || left < free/2 || left/int64(places) < c.bytes) {
			t.Errorf("of %d and %d places, %d asked for and %d had: %d left", free, places, asked, c.bytes, left)
		}
		// A third more, and a fourteenth to keep count of it.
		if heap := c.heap(); heap < 0 || heap > 0 && heap*4/3+heap/14+heapBeside > c.bytes+c.bytes/16 {
			t.Errorf("a heap of %d of %d", heap, c.bytes)
		}
		if c.plain = true; c.heap() != 0 {
			t.Error("Nix is not left alone")
		}
	})
}

// Where it is not known how much there is, Nix is left alone beyond what was
// asked for.
func TestHeapsUnknown(t *testing.T) {
	m := &memory{available: func() int64 { return 0 }, places: 2}
	c, err := m.acquire(t.Context(), 1<<30, nil)
	if err != nil || c.bytes != 1<<30 {
		t.Fatal(c, err)
	}
}
