package sshpool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Message types of OpenSSH's control socket, from PROTOCOL.mux in its source.
const (
	muxHello         = 0x00000001
	muxAliveCheck    = 0x10000004
	muxTerminate     = 0x10000005
	muxStopListening = 0x10000009
	muxOK            = 0x80000001
	muxAlive         = 0x80000005

	muxVersion   = 4
	muxMaxPacket = 256 << 10
)

// muxTimeout bounds every conversation with a master, which answers from its
// main loop at once unless it is stopped or stuck.
const muxTimeout = 2 * time.Second

var errMuxReply = errors.New("unexpected answer from the ssh master")

// muxConn is a control connection to a master. It opens no session and sends
// nothing to the remote host.
type muxConn struct {
	conn net.Conn
	next uint32
}

// muxDial connects to the socket and exchanges greetings.
func muxDial(ctx context.Context, sock string) (*muxConn, error) {
	deadline := time.Now().Add(muxTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "unix", sock)
	if err != nil {
		return nil, err
	}
	m := &muxConn{conn: conn}
	if err := m.greet(deadline); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return m, nil
}

func (m *muxConn) greet(deadline time.Time) error {
	if err := m.conn.SetDeadline(deadline); err != nil {
		return err
	}
	if err := writePacket(m.conn, muxHello, muxVersion); err != nil {
		return err
	}
	packet, err := readPacket(m.conn)
	if err != nil {
		return err
	}
	if kind, rest := cutUint32(packet); kind != muxHello || len(rest) < 4 || binary.BigEndian.Uint32(rest) != muxVersion {
		return errMuxReply
	}
	return nil
}

// alive asks for the master's process id.
func (m *muxConn) alive() (pid int, err error) {
	rest, err := m.request(muxAliveCheck, muxAlive)
	if err != nil {
		return 0, err
	}
	if len(rest) < 4 {
		return 0, errMuxReply
	}
	return int(binary.BigEndian.Uint32(rest)), nil
}

// stop makes the master remove its socket, take no further sessions and end
// after the last of those it has.
func (m *muxConn) stop() error {
	_, err := m.request(muxStopListening, muxOK)
	return err
}

// terminate ends the master and its sessions, and returns once it has closed
// the control connection. A master exits without sending its answer (OpenSSH
// mux.c, mux_master_process_terminate).
func (m *muxConn) terminate() error {
	if err := writePacket(m.conn, muxTerminate, m.next); err != nil {
		return err
	}
	for {
		_, err := readPacket(m.conn)
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			return err
		default:
			return nil
		}
	}
}

func (m *muxConn) request(kind, want uint32) (rest []byte, err error) {
	id := m.next
	m.next++
	if err := writePacket(m.conn, kind, id); err != nil {
		return nil, err
	}
	packet, err := readPacket(m.conn)
	if err != nil {
		return nil, err
	}
	got, rest := cutUint32(packet)
	gotID, rest := cutUint32(rest)
	if got != want || gotID != id {
		return nil, fmt.Errorf("%w: type %#x", errMuxReply, got)
	}
	return rest, nil
}

func (m *muxConn) close() { _ = m.conn.Close() }

// writePacket sends a length, a type and one number.
func writePacket(w io.Writer, kind, value uint32) error {
	var b []byte
	b = binary.BigEndian.AppendUint32(b, 8)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, value)
	_, err := w.Write(b)
	return err
}

// readPacket returns the next packet without its length.
func readPacket(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 4 || n > muxMaxPacket {
		return nil, fmt.Errorf("%w: %d bytes", errMuxReply, n)
	}
	packet := make([]byte, n)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	return packet, nil
}

// cutUint32 takes the first number off b; a short b gives 0 and nothing.
func cutUint32(b []byte) (uint32, []byte) {
	if len(b) < 4 {
		return 0, nil
	}
	return binary.BigEndian.Uint32(b), b[4:]
}

// muxPID returns the process id of the live master behind the socket.
func muxPID(ctx context.Context, sock string) (int, error) {
	m, err := muxDial(ctx, sock)
	if err != nil {
		return 0, err
	}
	defer m.close()
	return m.alive()
}

// muxEnd ends, or only stops, the master behind the socket if it still is the
// one with the given process id. Another one there, or none, is no error.
func muxEnd(ctx context.Context, sock string, pid int, gently bool) error {
	m, err := muxDial(ctx, sock)
	if err != nil {
		return nil
	}
	defer m.close()
	if now, err := m.alive(); err != nil || now != pid {
		return nil
	}
	if gently {
		return m.stop()
	}
	return m.terminate()
}
