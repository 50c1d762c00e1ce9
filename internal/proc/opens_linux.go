//go:build amd64 || arm64

package proc

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// opens is told by the kernel of every file that a child opens (seccomp_unotify(2)): a filter
// hands each such call to this process, which notes the path and lets the call go on.
type opens struct {
	listener int
	own      int // the thread that starts the child

	started chan struct{} // closed once pid is known
	pid     int           // 0 if it did not start

	mu    sync.Mutex
	list  []string
	blind bool // something was not understood
	ended bool // what goes on after the child is of no interest
}

// startWatched starts a command and watches what it opens; nil if the kernel does not tell, and
// the command is as it was.
func startWatched(cmd *exec.Cmd) (o *opens, err error) {
	if !tellsOpens() {
		return nil, cmd.Start()
	}
	done := make(chan struct{})
	go offMain(func() {
		defer close(done)
		if o, err = filterThread(); err != nil {
			return
		}
		go o.answer()
		if err = cmd.Start(); err == nil {
			o.pid = cmd.Process.Pid
		}
		close(o.started)
	})
	if <-done; o == nil { // not from the thread that was to be filtered, and may be half
		return nil, cmd.Start()
	}
	return o, err
}

// offMain calls a function on a thread that ends with it, and with what was done to it: never on
// the process's first, which Go cannot end.
func offMain(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // another, since that one is taken
		f()
	}()
	<-over
	runtime.UnlockOSThread()
}

// tellsOpens reports whether the kernel has what is needed: to let a call go on is Linux 5.5's,
// to tell that nobody is left to watch 5.9's.
func tellsOpens() bool {
	var name unix.Utsname
	var major, minor int
	if unix.Uname(&name) != nil {
		return false
	}
	n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	return n == 2 && (major > 5 || major == 5 && minor >= 9)
}

// filterThread makes the kernel ask before this thread, and what it starts, opens a file. A
// filter needs that none of them gets more rights by running a program (setuid).
func filterThread() (*opens, error) {
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	ask := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	skipIf := func(value uint32, equal, other uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: equal, Jf: other}
	}
	// struct seccomp_data: the call's number, then the architecture.
	filter := []unix.SockFilter{load(4), skipIf(auditArch, 1, 0), allow, load(0)}
	for _, call := range openCalls() {
		filter = append(filter, skipIf(uint32(call), 0, 1), ask)
	}
	filter = append(filter, allow)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return nil, errno
	}
	o := &opens{listener: int(fd), own: unix.Gettid(), started: make(chan struct{})}
	// Since Linux 6.6: whoever asks, and we, take turns on one processor, which is much faster
	// than to wake another.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return o, nil
}

// answer lets every call go on, until nobody is left who might make one.
func (o *opens) answer() {
	runtime.LockOSThread() // which saves Go's scheduler a decision for each call
	defer runtime.UnlockOSThread()
	defer unix.Close(o.listener)
	for {
		poll := []unix.PollFd{{Fd: int32(o.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		} else if err != nil || poll[0].Revents&unix.POLLIN == 0 {
			return
		}
		var n notification
		if o.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != nil {
			continue // it was interrupted meanwhile
		}
		if int(n.tid) != o.own {
			o.note(&n)
		}
		_ = o.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}))
	}
}

func (o *opens) ioctl(request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(o.listener), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// end returns what the child has opened, in order; known says that this is all. Nothing is
// noted any more.
func (o *opens) end() (list []string, known bool) {
	if o == nil {
		return nil, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	list, o.list, o.ended = o.list, nil, true
	return list, !o.blind
}
