package fleet

import (
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[size]int64{
		"512MiB": 512 << 20, "4GiB": 4 << 30, "1.5 gib": 3 << 29, " 2GB ": 2e9, "1b": 1, "10KiB": 10 << 10, "1TiB": 1 << 40,
		"": 0, "4": 0, "GiB": 0, "-1GiB": 0, "0GiB": 0, "4 G": 0, "1e3GiB": 0, "NaN": 0, "infb": 0, "9999999999TiB": 0, ".5GiB": 0, "4GiB x": 0, "0x1GiB": 0,
	} {
		if got, ok := text.bytes(); got != want || ok != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("4GiB")
	f.Add("1.5 MB")
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := size(text).bytes(); ok && n < 1 {
			t.Errorf("%q is %d", text, n)
		}
	})
}
