package lab

import (
	"errors"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// probeSSH reports whether an SSH server greets on port 22 inside a network
// namespace. It looks from within, so that a cut cable makes no difference.
func probeSSH(netns string) error {
	done := make(chan error, 1)
	go func() {
		// The thread is never unlocked, so that the runtime ends it with the
		// goroutine: it must not be reused, being in another namespace.
		runtime.LockOSThread()
		done <- greeting(netns)
	}()
	return <-done
}

func greeting(netns string) error {
	ns, err := os.Open(netns)
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }() // read only
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	limit := unix.Timeval{Sec: 2}
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 22, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	buf := make([]byte, 64)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(buf[:n]), "SSH-") {
		return errors.New("no SSH greeting")
	}
	return nil
}
