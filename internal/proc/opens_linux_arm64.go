package proc

import "golang.org/x/sys/unix"

const (
	auditArch  = unix.AUDIT_ARCH_AARCH64
	legacyOpen = -1 // there is none
)

func openCalls() []int { return []int{unix.SYS_OPENAT, unix.SYS_OPENAT2} }
