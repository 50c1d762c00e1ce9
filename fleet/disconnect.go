package fleet

import (
	"context"
	"errors"

	"github.com/nixflotilla/flotilla/sshpool"
)

// Disconnection says what became of the connection to a host.
type Disconnection struct {
	// Host is the host's name.
	Host string
	// Kept says that there was a connection. Ended says that it has ended; one
	// that was kept and has not takes nothing new, and ends with what another run
	// still does over it.
	Kept, Ended bool
	// Err is why it could not be ended, with an *sshpool.Error; else nil.
	Err error
}

var errOwnDialer = errors.New("the connections of this fleet are somebody else's")

// Disconnect ends the connections to these hosts that are kept for later runs.
// What goes on over them is not cut off. The connection to a jump host stays. The
// error is for a Fleet with a Config.Dialer, which sees to its own.
func (f *Fleet) Disconnect(ctx context.Context, hosts []Host) ([]Disconnection, error) {
	if f.pool == nil {
		return nil, errOwnDialer
	}
	all := make([]Disconnection, len(hosts))
	for i, h := range hosts {
		all[i] = Disconnection{Host: h.Name, Ended: true}
		for _, t := range []sshpool.Target{target(h), target(compressed(h))} {
			what, err := f.pool.Disconnect(ctx, t)
			all[i].Kept = all[i].Kept || what != sshpool.NotConnected
			all[i].Ended = all[i].Ended && what != sshpool.Draining
			all[i].Err = errors.Join(all[i].Err, err)
		}
		all[i].Ended = all[i].Ended && all[i].Kept && all[i].Err == nil
	}
	return all, nil
}

// DisconnectAll ends every connection that this user's fleets keep, also to jump
// hosts and to hosts that no inventory names any more. It returns how many have
// ended, and how many will with what still goes on over them.
func (f *Fleet) DisconnectAll(ctx context.Context) (ended, ending int, err error) {
	if f.pool == nil {
		return 0, 0, errOwnDialer
	}
	return f.pool.DisconnectAll(ctx)
}
