package proc

import "golang.org/x/sys/unix"

const (
	auditArch  = unix.AUDIT_ARCH_X86_64
	legacyOpen = unix.SYS_OPEN
)

func openCalls() []int { return []int{unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_OPEN} }
