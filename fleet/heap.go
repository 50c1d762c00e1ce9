package fleet

const (
	// heapBeside is what an evaluator takes besides its heap.
	heapBeside = 128 << 20
	// heapMost is more than any evaluation has use for.
	heapMost = 8 << 30
)

// spread lets a claim that has just been granted have more than it asked for, of
// what is free: half of what would be its share if all places for evaluations
// were taken. No other evaluation of the usual kind has to wait for that.
func (c *claim) spread(free int64) {
	if places := int64(c.of.places); places > 0 {
		c.bytes = max(c.bytes, min(free/places/2, heapMost))
	}
}

// heap is how far an evaluator's heap may grow before garbage is looked for, in
// bytes, if it is to take as much memory as it claims; 0 leaves it to Nix.
//
// Evaluations leave little garbage: looking for it takes up to half of a large
// one's time, and finds a tenth of the heap (docs/adr/0013-heaps-as-large-as-fits.md).
// But where it has to be done after all, the heap grows by a third of itself; and
// what is no heap counts too.
func (c *claim) heap() int64 {
	if c.plain {
		return 0
	}
	return max(0, c.bytes-heapBeside) / 4 * 3
}
