package nixcmd

import (
	"slices"
	"strconv"
)

// heapVariables are those of the environment by which users say themselves how
// Nix's garbage collector is to go about it (libgc, docs/README.environment).
func heapVariables() []string {
	return []string{"GC_INITIAL_HEAP_SIZE", "GC_MAXIMUM_HEAP_SIZE", "GC_DONT_GC", "GC_FREE_SPACE_DIVISOR", "GC_ENABLE_INCREMENTAL"}
}

// heapSettings are the environment for a heap of that many bytes before garbage
// is collected; none if that is not more than Nix begins with by itself, or if
// the user has a say in it.
//
// Nix takes 384 MiB, or a quarter of the memory if that is less, and with
// GC_INITIAL_HEAP_SIZE set leaves it to that (Nix, src/libexpr/eval-gc.cc,
// initGCReal). What was asked for and is never used takes address space only.
func (c *Client) heapSettings(bytes int64) []string {
	const own = 384 << 20
	if bytes <= own || slices.ContainsFunc(heapVariables(), func(name string) bool { return c.getenv(name) != "" }) {
		return nil
	}
	return []string{"GC_INITIAL_HEAP_SIZE=" + strconv.FormatInt(bytes, 10)}
}
