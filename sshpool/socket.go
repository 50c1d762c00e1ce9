package sshpool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nameLookup bounds how long PassSocket looks for a host's addresses. ssh may know ways
// to find them that this program does not, and is then asked itself.
const nameLookup = 2 * time.Second

// PassSocket connects to a host as args say and passes the connection, on standard output, to
// the ssh that has started this program. It is the whole of what Config.SocketProgram starts:
//
//	if err := sshpool.PassSocket(ctx, os.Args[2:]); err != nil {
//		os.Exit(1)
//	}
//
// The args are those that a Pool has appended to Config.SocketProgram; their form is nobody
// else's to rely on. What ssh would say of a host that cannot be reached is written where the
// Pool looks for it, and after any other error the Pool has ssh connect by itself, so that
// the error is for nobody to read.
func PassSocket(ctx context.Context, args []string) error { return passSocket(ctx, args, 1) }

func passSocket(ctx context.Context, args []string, out int) error {
	a, err := parseSocketArgs(args)
	if err != nil {
		return err
	}
	conn, err := a.connect(ctx)
	if err != nil {
		return a.tell(err)
	}
	defer conn.Close()
	if err := conn.SetKeepAlive(a.keepAlive); err != nil {
		return err
	}
	file, err := conn.File()
	if err != nil {
		return err
	}
	defer file.Close()
	fd := int(file.Fd())
	if err := syscall.SetNonblock(fd, false); err != nil { // as ssh's own would be
		return err
	}
	// The message must have a byte (OpenSSH, monitor_fdpass.c).
	return syscall.Sendmsg(out, []byte{0}, syscall.UnixRights(fd), nil, 0)
}

// socketCall is what PassSocket is to do.
type socketCall struct {
	host, port string
	// family is that of the addresses: "ip4", "ip6", or "ip" for both.
	family    string
	keepAlive bool
	patience  time.Duration // for each address
	log       string
}

func (a socketCall) args() []string {
	return []string{a.host, a.port, a.family, strconv.FormatBool(a.keepAlive), a.patience.String(), a.log}
}

func parseSocketArgs(args []string) (a socketCall, err error) {
	if len(args) != len(a.args()) {
		return a, fmt.Errorf("want %d arguments, not %d", len(a.args()), len(args))
	}
	a = socketCall{host: args[0], port: args[1], family: args[2], log: args[5]}
	a.keepAlive, err = strconv.ParseBool(args[3])
	if err == nil {
		a.patience, err = time.ParseDuration(args[4])
	}
	return a, err
}

// connect tries one address after the other, as ssh does. Go sets TCP_NODELAY.
func (a socketCall) connect(ctx context.Context) (*net.TCPConn, error) {
	addresses, err := a.lookup(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, address := range addresses {
		d := net.Dialer{Timeout: a.patience, KeepAlive: -1}
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(address.String(), a.port))
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		failed = err
	}
	return nil, failed
}

// lookup finds the addresses with their zones, which other functions of net.Resolver leave out.
func (a socketCall) lookup(ctx context.Context) ([]net.IPAddr, error) {
	ctx, cancel := context.WithTimeout(ctx, nameLookup)
	defer cancel()
	found, err := net.DefaultResolver.LookupIPAddr(ctx, a.host)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(address net.IPAddr) bool {
		is4 := address.IP.To4() != nil
		return a.family == "ip4" && !is4 || a.family == "ip6" && is4
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no address of family %s", a.host, a.family)
	}
	return found, nil
}

// tell writes what ssh would say of a connection that did not come about.
func (a socketCall) tell(err error) error {
	var errno syscall.Errno
	var timeout net.Error
	var dial *net.OpError
	if !errors.As(err, &dial) {
		return err // of the name, say
	}
	why := ""
	switch {
	case errors.As(err, &errno):
		why = errno.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		why = syscall.ETIMEDOUT.Error()
	default:
		return err
	}
	f, e := os.OpenFile(a.log, os.O_WRONLY|os.O_APPEND, 0)
	if e != nil {
		return errors.Join(err, e)
	}
	_, e = fmt.Fprintf(f, connectFailed+" %s port %s: %s\n", a.host, a.port, strings.ToUpper(why[:1])+why[1:])
	return errors.Join(err, e, f.Close())
}
