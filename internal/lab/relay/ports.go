package main

import (
	"encoding/binary"
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// Both kinds of port put a struct virtio_net_hdr before each frame (packet(7),
// PACKET_VNET_HDR; the kernel's tuntap documentation, IFF_VNET_HDR), which
// tells what checksum and segmentation the kernel still owes it. Passed on as
// it is, large frames stay large and nothing needs switching off.

// link is a packet socket on an interface.
type link int

func openLink(name string) (link, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	// Protocol 0 receives nothing, until it is bound to the one interface.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	for _, option := range []struct{ level, name, value int }{
		{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1},
		// Not the frames that this very program sends.
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16 << 20},
		{unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 16 << 20},
	} {
		if err := unix.SetsockoptInt(fd, option.level, option.name, option.value); err != nil {
			return 0, errors.Join(err, unix.Close(fd))
		}
	}
	err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: iface.Index})
	if err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return link(fd), nil
}

func htons(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

func (l link) read(buf []byte) (int, error) { return readFrame(int(l), buf) }
func (l link) write(frame []byte) error     { return writeFrame(int(l), frame) }

// tap is a TAP device of this process; it vanishes with it.
type tap int

func openTAP(name string) (tap, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	const offload = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offload); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return tap(fd), nil
}

func (t tap) read(buf []byte) (int, error) { return readFrame(int(t), buf) }
func (t tap) write(frame []byte) error     { return writeFrame(int(t), frame) }

// readFrame waits out an interface that is down.
func readFrame(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
		case err != nil:
			return 0, err
		case n > 0:
			return n, nil
		}
	}
}

// writeFrame loses a frame that cannot be sent, like any link: since it is
// down, or a queue is full, or the frame is not one the kernel takes.
func writeFrame(fd int, frame []byte) error {
	_, err := unix.Write(fd, frame)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Write(fd, frame)
	}
	switch {
	case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN),
		errors.Is(err, unix.EINVAL), errors.Is(err, unix.EMSGSIZE), errors.Is(err, unix.EIO):
		return nil
	}
	return err
}
