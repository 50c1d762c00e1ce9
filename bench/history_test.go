package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Lines that cannot be understood are passed over and counted, also one that was
// cut short in the middle, and later ones are not lost with it.
func TestHistoryPassesOver(t *testing.T) {
	h := History{Path: filepath.Join(t.TempDir(), "h.jsonl")}
	if got, skipped, err := h.Read(); err != nil || len(got) != 0 || skipped != 0 {
		t.Fatalf("no file: %v, %d, %v", got, skipped, err)
	}
	if err := h.Add(Record{Host: "a"}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(h.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteString("\n\x00\xff not JSON\n{\"v\":2}\n{\"v\":1,\"host\":\"cut sho"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := h.Add(Record{Host: "b"}); err != nil {
		t.Fatal(err)
	}
	got, skipped, err := h.Read()
	if err != nil || skipped != 3 || len(got) != 2 || got[0].Host != "a" || got[1].Host != "b" {
		t.Errorf("%+v, %d skipped, %v", got, skipped, err)
	}
	if info, err := os.Stat(h.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Writers at the same time lose nothing, and the oldest go when there are too
// many.
func TestHistoryWriters(t *testing.T) {
	h := History{Path: filepath.Join(t.TempDir(), "h.jsonl")}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 10 {
				if err := h.Add(Record{Host: fmt.Sprint(i, " ", k)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, skipped, err := h.Read()
	seen := map[string]bool{}
	for _, r := range got {
		seen[r.Host] = true
	}
	if err != nil || skipped != 0 || len(seen) != 80 {
		t.Fatalf("%d records, %d skipped, %v", len(seen), skipped, err)
	}
	for i := range Kept {
		if err := h.Add(Record{Host: fmt.Sprint("new ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, err = h.Read(); err != nil || len(got) != Kept || got[0].Host != "new 0" {
		t.Errorf("%d records, the first of %q, %v", len(got), got[0].Host, err)
	}
	if files, err := os.ReadDir(filepath.Dir(h.Path)); err != nil || len(files) != 2 {
		t.Errorf("files left behind: %v, %v", files, err)
	}
}

// A place that cannot be written to is an error.
func TestHistoryCannotWrite(t *testing.T) {
	h := History{Path: filepath.Join(t.TempDir(), "nosuch", "h.jsonl")}
	if err := h.Add(Record{}); err == nil {
		t.Error("no error")
	}
	if _, _, err := h.Read(); err == nil {
		t.Error("no error")
	}
}
