package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

func storePathNo(i int) nixcmd.StorePath {
	return nixcmd.StorePath(fmt.Sprintf("/nix/store/%s-path-%d", strings.Repeat(fmt.Sprint(i), 32), i))
}

// A copy is counted in bytes as soon as it is known which paths are missing on the
// host, and in paths before.
func TestCopyProgress(t *testing.T) {
	const mib = 1 << 20
	all := []nixcmd.StorePath{storePathNo(0), storePathNo(1), storePathNo(2)}
	sizes := map[nixcmd.StorePath]int64{all[0]: 10 * mib, all[1]: 20 * mib, all[2]: 300 * mib}
	begins := func(i, expected int, bytes int64) nixcmd.CopyEvent {
		return nixcmd.CopyEvent{Path: all[i], Done: i, Expected: expected, Bytes: bytes}
	}

	p := &copyProgress{}
	if _, told := p.take(nixcmd.CopyEvent{Text: "copying 2 paths...", Expected: 2}, time.Time{}); told {
		t.Error("told before there was a path")
	}
	want := func(e nixcmd.CopyEvent, want copyText) {
		t.Helper()
		if got, told := p.take(e, time.Time{}); !told || got != want {
			t.Errorf("told %v: %+v, want %+v", told, got, want)
		}
	}
	want(begins(1, 2, 100), copyText{text: "1 of 2 paths: path-1", expected: 2, bytes: 100})
	want(nixcmd.CopyEvent{Expected: 2, Bytes: 12 * mib}, copyText{text: "12 MiB, 1 of 2 paths: path-1", expected: 2, bytes: 12 * mib})
	p.sizes = sizes
	want(nixcmd.CopyEvent{Expected: 2, Bytes: 15 * mib}, copyText{text: "15 MiB, 1 of 2 paths: path-1", expected: 2, bytes: 15 * mib})
	p.there = map[nixcmd.StorePath]bool{all[0]: true}
	want(nixcmd.CopyEvent{Expected: 2, Bytes: 16 * mib}, copyText{text: "16 of 320 MiB, 1 of 2 paths: path-1", expected: 2, bytes: 16 * mib, bytesExpected: 320 * mib})
	want(begins(2, 2, 21*mib), copyText{text: "21 of 320 MiB, 2 of 2 paths: path-2", done: 1, expected: 2, bytes: 21 * mib, bytesExpected: 320 * mib})
	want(nixcmd.CopyEvent{Expected: 2, Bytes: 321 * mib}, copyText{text: "320 of 320 MiB, 2 of 2 paths: path-2", done: 1, expected: 2, bytes: 320 * mib, bytesExpected: 320 * mib})
	if _, told := p.take(nixcmd.CopyEvent{Text: "warning: x", Expected: 2, Bytes: 321 * mib}, time.Time{}); told {
		t.Error("told though nothing changed")
	}
	if got := p.end(0); got != "2 paths, 320 MiB" {
		t.Error(got)
	}

	// Another attempt: what has arrived is counted once, also if the host could not be
	// asked in between.
	p = &copyProgress{sizes: sizes, there: map[nixcmd.StorePath]bool{}}
	want(begins(0, 3, 1), copyText{text: "0 of 330 MiB, 1 of 3 paths: path-0", expected: 3, bytes: 1, bytesExpected: 330 * mib})
	want(begins(1, 3, 10*mib), copyText{text: "10 of 330 MiB, 2 of 3 paths: path-1", done: 1, expected: 3, bytes: 10 * mib, bytesExpected: 330 * mib})
	now := &stores{missing: map[nixcmd.StorePath]bool{all[1]: true, all[2]: true}}
	for _, path := range all {
		now.wanted = append(now.wanted, nixcmd.PathInfo{Path: path, NarSize: sizes[path]})
	}
	for i, arrived := range []bool{true, false, false, false} {
		if i == 2 && p.restart(nil) {
			t.Error("something has arrived of which nothing is known")
		}
		if p.restart(now) != arrived {
			t.Errorf("restart %d", i)
		}
	}
	want(begins(1, 2, mib), copyText{text: "11 of 330 MiB, 2 of 3 paths: path-1", done: 1, expected: 3, bytes: 11 * mib, bytesExpected: 330 * mib})
	if got := p.end(0); got != "2 paths, 30 MiB" {
		t.Error(got)
	}

	// The host has more, or less, than was known: nothing is claimed until all
	// paths have been named.
	p = &copyProgress{sizes: sizes}
	want(begins(0, 2, 0), copyText{text: "1 of 2 paths: path-0", expected: 2})
	want(begins(2, 2, 0), copyText{text: "0 of 310 MiB, 2 of 2 paths: path-2", done: 1, expected: 2, bytesExpected: 310 * mib})
	// All of it.
	p = &copyProgress{sizes: sizes}
	want(begins(0, 3, 5*mib), copyText{text: "5 of 330 MiB, 1 of 3 paths: path-0", expected: 3, bytes: 5 * mib, bytesExpected: 330 * mib})
	if got := p.end(0); got != "1 path, 10 MiB" {
		t.Error(got)
	}
	if got := new(copyProgress).end(0); got != "all paths were there" {
		t.Error(got)
	}
}
