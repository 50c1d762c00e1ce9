package proc

import (
	"syscall"
	"unsafe"
)

// awaitExit waits until a child has ended, and leaves it to be waited for: what
// the kernel counted of it can still be read. Errors show when it is waited for.
func awaitExit(pid int) {
	const pPid = 1         // P_PID of waitid(2)
	var siginfo [128]byte  // siginfo_t, which nobody reads
	const noWait = 1 << 24 // WNOWAIT
	for {
		_, _, err := syscall.Syscall6(syscall.SYS_WAITID, pPid, uintptr(pid), uintptr(unsafe.Pointer(&siginfo)), syscall.WEXITED|noWait, 0, 0)
		if err != syscall.EINTR {
			return
		}
	}
}
