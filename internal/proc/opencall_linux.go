//go:build amd64 || arm64

package proc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// struct seccomp_notif and struct seccomp_notif_resp of linux/seccomp.h.
type notification struct {
	id         uint64
	tid, flags uint32
	call       int32
	arch       uint32
	at         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	value int64
	error int32
	flags uint32
}

// note notes what a call of the child opens, unless that is a directory, or there is nothing yet
// that could be read. The thread that makes the call waits.
func (o *opens) note(n *notification) {
	<-o.started
	tid := int(n.tid)
	if tid != o.pid && unix.Tgkill(o.pid, tid, 0) != nil { // one of its threads
		return
	}
	path, err := openedBy(n)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended:
	case err != nil:
		o.blind = true
	case path != "":
		o.list = append(o.list, path)
	}
}

// openedBy returns what a call opens to be read, "" if it does not.
func openedBy(n *notification) (path string, err error) {
	tid, dir, at, flags := int(n.tid), unix.AT_FDCWD, n.args[0], n.args[1]
	if n.call != legacyOpen {
		dir, at, flags = int(int32(n.args[0])), n.args[1], n.args[2]
	}
	if n.call == unix.SYS_OPENAT2 { // whose struct open_how begins with them
		how := make([]byte, 8)
		if _, err := readMemory(tid, uintptr(flags), how); err != nil {
			return "", err
		}
		flags = binary.NativeEndian.Uint64(how)
	}
	const made = unix.O_CREAT | unix.O_EXCL
	if flags&unix.O_DIRECTORY != 0 || flags&unix.O_ACCMODE == unix.O_WRONLY || flags&made == made {
		return "", nil
	}
	path, err = readPath(tid, uintptr(at))
	if err != nil || filepath.IsAbs(path) {
		return path, err
	}
	base := fmt.Sprintf("/proc/%d/cwd", tid)
	if dir != unix.AT_FDCWD {
		base = fmt.Sprintf("/proc/%d/fd/%d", tid, dir)
	}
	base, err = os.Readlink(base)
	return filepath.Join(base, path), err
}

// readPath reads a text from a thread's memory.
func readPath(tid int, at uintptr) (string, error) {
	var text strings.Builder
	page := uintptr(os.Getpagesize())
	buf := make([]byte, unix.PathMax)
	for text.Len() < unix.PathMax {
		n, err := readMemory(tid, at, buf[:min(page-at%page, uintptr(len(buf)))])
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(buf[:n], 0); i >= 0 {
			text.Write(buf[:i])
			return text.String(), nil
		}
		text.Write(buf[:n])
		at += uintptr(n)
	}
	return "", unix.ENAMETOOLONG
}

func readMemory(tid int, at uintptr, buf []byte) (int, error) {
	return unix.ProcessVMReadv(tid, []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}, []unix.RemoteIovec{{Base: at, Len: len(buf)}}, 0)
}
