package fleet

import (
	"fmt"
	"sync"
	"time"

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
	rate     rate
	// Of earlier attempts: every path that was begun, and how many of them have
	// arrived, of how many bytes; 0 if that is not known. most is the largest arrived
	// so far.
	earlier       map[nixcmd.StorePath]bool
	arrived, most int
	arrivedBytes  int64
}

// copyText is what a copy does now, with its counts.
type copyText struct {
	text                 string
	done, expected       int
	bytes, bytesExpected int64
	// rate is in bytes per second, left how long it takes at that; 0 if not known.
	rate int64
	left time.Duration
}

func (t copyText) event() Event {
	return Event{Step: StepCopy, Kind: KindProgress, Text: t.text, Done: t.done, Expected: t.expected,
		Bytes: t.bytes, BytesExpected: t.bytesExpected, Rate: t.rate, StepLeft: t.left}
}

// take takes in an event, and reports whether there is something new to tell.
func (p *copyProgress) take(e nixcmd.CopyEvent, now time.Time) (copyText, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate.take(now, e.Bytes)
	p.expected = max(p.expected, e.Expected)
	told := e.Path != "" || e.Bytes > p.bytes
	if p.bytes = max(p.bytes, e.Bytes); e.Path != "" {
		p.begun = append(p.begun, e.Path)
	}
	if !told || len(p.begun) == 0 {
		return copyText{}, false
	}
	t := copyText{done: len(p.begun) - 1, expected: p.expected, bytes: p.bytes, bytesExpected: p.total(), rate: p.rate.now()}
	// What is said besides the contents does not make them more.
	if t.bytesExpected > 0 {
		t.bytes = min(t.bytes, t.bytesExpected)
		t.bytesExpected += p.arrivedBytes
	}
	if t.rate > 0 && t.bytesExpected > 0 {
		t.left = time.Duration(float64(t.bytesExpected-p.arrivedBytes-t.bytes) / float64(t.rate) * float64(time.Second))
	}
	t.bytes += p.arrivedBytes
	t.done += p.arrived
	t.expected += p.arrived
	t.text = fmt.Sprintf("%d of %d paths", t.done+1, t.expected)
	if amount := amount(t.bytes, t.bytesExpected); amount != "" {
		t.text = amount + t.speed() + ", " + t.text
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
	w := p.work()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.earlier == nil {
		w.Bytes = or(w.Bytes, p.bytes)
	}
	if w.Paths+fetched == 0 {
		return "all paths were there"
	}
	text := counted(w.Paths, "path")
	if w.Bytes > 0 && w.Paths > 0 {
		text += ", " + bytesText(w.Bytes)
	}
	if fetched > 0 {
		text += fmt.Sprintf(", and %d from its substituters", fetched)
	}
	return text
}

// restart begins another attempt, for which the host has been asked what it has by
// now; nil is not known. It reports whether any path has arrived since it last knew.
func (p *copyProgress) restart(now *stores) (arrived bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note()
	p.begun, p.expected, p.bytes, p.rate = nil, 0, 0, rate{}
	if now == nil {
		p.there, p.arrived, p.arrivedBytes = nil, 0, 0
		return false
	}
	p.sizes, p.there = sizesOf(now.wanted), now.there()
	p.arrived, p.arrivedBytes = 0, 0
	for path := range p.earlier {
		if p.there[path] {
			p.arrived++
			p.arrivedBytes += p.sizes[path]
		}
	}
	before := p.most
	p.most = max(p.most, p.arrived)
	return p.arrived > before
}

// note keeps which paths were begun.
func (p *copyProgress) note() {
	if p.earlier == nil {
		p.earlier = make(map[nixcmd.StorePath]bool, len(p.begun))
	}
	for _, path := range p.begun {
		p.earlier[path] = true
	}
}

// firstOf is the first of the paths whose turn has come that is among these; "" if none is.
func (p *copyProgress) firstOf(paths map[nixcmd.StorePath]bool) nixcmd.StorePath {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, path := range p.begun {
		if paths[path] {
			return path
		}
	}
	return ""
}

// sent is how many bytes this attempt has sent, and how many are left; 0 if that is
// not known.
func (p *copyProgress) sent() (sent, left int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if total := p.total(); total > p.bytes {
		left = total - p.bytes
	}
	return p.bytes, left
}

// work is what was sent in all attempts; sizes that are not known count as nothing.
func (p *copyProgress) work() CopyWork {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.earlier == nil {
		return CopyWork{len(p.begun), p.begunBytes()}
	}
	p.note()
	w := CopyWork{Paths: len(p.earlier)}
	for path := range p.earlier {
		w.Bytes += p.sizes[path]
	}
	return w
}

// know takes in what was found out; nil is nothing new. What the host was asked for
// another attempt is newer.
func (p *copyProgress) know(sizes map[nixcmd.StorePath]int64, there map[nixcmd.StorePath]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.earlier != nil {
		return
	}
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

// nothing reports whether the host had it all.
func (p *copyProgress) nothing(fetched int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.begun)+len(p.earlier)+fetched == 0
}
