package fleet

import (
	"fmt"
	"sync"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// copyProgress is how far a copy is. Its methods may be called concurrently.
type copyProgress struct {
	mu sync.Mutex
	// sizes are those of the paths of the closure in bytes, nil while they are not
	// known; there are those of them that the host is known to have.
	sizes map[nixcmd.StorePath]int64
	there map[nixcmd.StorePath]bool
	// begun are the paths whose turn has come, in order.
	begun    []nixcmd.StorePath
	expected int
	bytes    int64
}

// copyText is what a copy does now, with its counts.
type copyText struct {
	text                 string
	done, expected       int
	bytes, bytesExpected int64
}

// take takes in an event, and reports whether there is something new to tell.
func (p *copyProgress) take(e nixcmd.CopyEvent) (copyText, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = max(p.expected, e.Expected)
	told := e.Path != "" || e.Bytes > p.bytes
	if p.bytes = max(p.bytes, e.Bytes); e.Path != "" {
		p.begun = append(p.begun, e.Path)
	}
	if !told || len(p.begun) == 0 {
		return copyText{}, false
	}
	t := copyText{done: len(p.begun) - 1, expected: p.expected, bytes: p.bytes, bytesExpected: p.total()}
	// What is said besides the contents does not make them more.
	if t.bytesExpected > 0 {
		t.bytes = min(t.bytes, t.bytesExpected)
	}
	t.text = fmt.Sprintf("%d of %d paths", len(p.begun), t.expected)
	if amount := amount(t.bytes, t.bytesExpected); amount != "" {
		t.text = amount + ", " + t.text
	}
	t.text += ": " + p.begun[len(p.begun)-1].Name()
	return t, true
}

// total is how many bytes are to be copied, 0 if that is not known. Nix says how
// many paths but not which before their turn comes: they are those that the host
// was not known to have if there are as many of them, or all.
func (p *copyProgress) total() int64 {
	if p.sizes == nil || p.expected == 0 {
		return 0
	}
	sum, missing, all := int64(0), 0, int64(0)
	for path, size := range p.sizes {
		if all += size; !p.there[path] {
			sum += size
			missing++
		}
	}
	switch p.expected {
	case len(p.sizes):
		return all
	case missing:
		return sum
	case len(p.begun):
		return p.begunBytes()
	}
	return 0
}

// begunBytes is how large the paths are whose turn has come, 0 if that is not
// known.
func (p *copyProgress) begunBytes() (sum int64) {
	for _, path := range p.begun {
		size, known := p.sizes[path]
		if !known {
			return 0
		}
		sum += size
	}
	return sum
}

// end says what came of it: how many paths, and how large they are, or how much
// was sent for them; and how many the host fetched.
func (p *copyProgress) end(fetched int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.begun)+fetched == 0 {
		return "all paths were there"
	}
	text := fmt.Sprintf("%d paths", len(p.begun))
	if len(p.begun) == 1 {
		text = "1 path"
	}
	if bytes := or(p.begunBytes(), p.bytes); bytes > 0 && len(p.begun) > 0 {
		text += ", " + bytesText(bytes)
	}
	if fetched > 0 {
		text += fmt.Sprintf(", and %d from its substituters", fetched)
	}
	return text
}

// work is what was sent; sizes that are not known count as nothing.
func (p *copyProgress) work() CopyWork {
	p.mu.Lock()
	defer p.mu.Unlock()
	return CopyWork{len(p.begun), p.begunBytes()}
}

// know takes in what was found out; nil is nothing new.
func (p *copyProgress) know(sizes map[nixcmd.StorePath]int64, there map[nixcmd.StorePath]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sizes != nil {
		p.sizes = sizes
	}
	if there != nil {
		p.there = there
	}
}

func sizesOf(infos []nixcmd.PathInfo) map[nixcmd.StorePath]int64 {
	sizes := make(map[nixcmd.StorePath]int64, len(infos))
	for _, i := range infos {
		sizes[i.Path] = i.NarSize
	}
	return sizes
}

// amount is "120 of 300 MiB", or "120 MiB" if the whole is not known; "" for less
// than a MiB that is not known to become more.
func amount(bytes, expected int64) string {
	switch {
	case expected >= 1<<20:
		return fmt.Sprintf("%d of %d MiB", bytes>>20, (expected+1<<19)>>20)
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return ""
}
