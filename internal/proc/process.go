package proc

import (
	"bytes"
	"os"
	"strconv"
	"sync/atomic"
)

// Process is a child that was started, for a look at what the kernel counts of
// it while it runs. Its methods may be called concurrently, also after its end.
type Process struct {
	pid     int
	ended   atomic.Bool
	written atomic.Int64
}

// Memory is the child's resident set in bytes, as proc(5)'s statm has it, without
// its descendants; 0 if it has ended or the kernel does not tell.
func (p *Process) Memory() int64 {
	fields := bytes.Fields(p.read("statm"))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// Written is how many bytes the child has passed to write(2) and its like, to
// files, pipes and sockets together (wchar in proc(5)'s io); what descendants
// wrote counts once it has waited for them. It stays as it was at the child's end;
// 0 if the kernel does not tell.
func (p *Process) Written() int64 {
	if p.ended.Load() {
		return p.written.Load()
	}
	for line := range bytes.Lines(p.read("io")) {
		if value, ok := bytes.CutPrefix(line, []byte("wchar: ")); ok {
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			return n
		}
	}
	return 0
}

// end waits until the child has ended, and is called before it is waited for.
func (p *Process) end() {
	awaitExit(p.pid)
	p.written.Store(p.Written())
	p.ended.Store(true)
}

// read is a file of the child's in /proc. A process id is used again only after
// the child was waited for, which ended says.
func (p *Process) read(file string) []byte {
	if p.ended.Load() {
		return nil
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/" + file)
	if err != nil || p.ended.Load() {
		return nil
	}
	return text
}
