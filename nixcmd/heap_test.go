package nixcmd

import (
	"slices"
	"testing"
)

// A heap is only ever made larger than Nix's own, and never against what the
// user says, in the environment or through Config.Env.
func TestHeapSettings(t *testing.T) {
	for _, name := range heapVariables() {
		t.Setenv(name, "")
	}
	want := func(c *Client, bytes int64, settings ...string) {
		t.Helper()
		if got := c.heapSettings(bytes); !slices.Equal(got, settings) {
			t.Errorf("%d: %q, want %q", bytes, got, settings)
		}
	}
	c := New(Config{})
	want(c, 0)
	want(c, 384<<20)
	want(c, 1<<30, "GC_INITIAL_HEAP_SIZE=1073741824")
	for _, name := range heapVariables() {
		want(New(Config{Env: []string{name + "=1"}}), 1<<30)
		t.Setenv(name, "1")
		want(c, 1<<30)
		t.Setenv(name, "")
	}
}
