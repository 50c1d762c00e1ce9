package fleet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/endcopy.sh
var endCopyScript string

// crossingPatience is how long the other machine may be gone in the middle of a copy before
// the copy is given up; a bridge, a firewall or an sshd that restarts takes seconds.
const crossingPatience = time.Minute

// mostDrops is how often in a row a connection may drop without a path having arrived
// in between. A single path that takes longer than the connection ever lasts would
// otherwise be begun for ever: Nix takes a path whole or not at all.
const mostDrops = 5

// crossing is a copy to or from another machine. One whose connection drops is made again
// over another one, which brings what is not there by then: Nix asks for that first.
type crossing struct {
	job  *job
	conn Remote
	// with is the name of the other machine.
	with string
	// mark tells the Nix that a copy runs on the other machine from others there.
	mark string
	// says tells people that the connection has dropped.
	says string
}

func (j *job) crossing(conn Remote, with, says string) crossing {
	return crossing{job: j, conn: conn, with: with, mark: rand.Text(), says: says}
}

// attempts are what a crossing is made of.
type attempts interface {
	// once makes one. errOnceMore says that it was ended to be made another way.
	once(context.Context) error
	// again finds out what has arrived, before another one, and reports whether any path
	// has since it did so last. An error is that of a connection.
	again(context.Context) (arrived bool, err error)
	// explain makes more of the error of one whose connection has not dropped.
	explain(context.Context, error) error
}

var errOnceMore = errors.New("the copy is to be made another way")

// cross makes attempts until one gets through, or fails for another reason than its
// connection.
func (c *crossing) cross(ctx context.Context, a attempts) error {
	c.endCutOff(ctx)
	note := c.job.fleet.noteCopy(c.with, c.mark)
	err := c.attempt(ctx, a)
	if err == nil {
		note.remove()
	} else {
		note.leave()
	}
	return err
}

// endCutOff ends what copies of earlier runs have left over there that were cut off and not
// made again. Where that cannot be, the next run tries.
func (c *crossing) endCutOff(ctx context.Context) {
	for _, n := range c.job.fleet.cutOff(c.with) {
		if c.end(ctx, n.mark()) == nil {
			n.remove()
		} else {
			n.leave()
		}
	}
}

// end ends what a copy has left on the other machine.
func (c *crossing) end(ctx context.Context, mark string) error {
	_, err := c.conn.Run(ctx, sshpool.Cmd{Script: endCopyScript, Argv: []string{nixcmd.MarkName + "=" + mark}})
	return err
}

// attempt is cross for this copy alone.
func (c *crossing) attempt(ctx context.Context, a attempts) error {
	for drops := 0; ; {
		master, err := c.connected(ctx)
		if err != nil {
			return err
		}
		err = a.once(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case errors.Is(err, errOnceMore):
			continue
		case master == 0 || masterOf(ctx, c.conn) == master:
			return a.explain(ctx, err)
		}
		c.job.warn(StepCopy, c.says+"; connecting again, for what has not arrived")
		arrived, gone := c.reconnect(ctx, a)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if gone != nil {
			return &hintedError{fmt.Errorf("the connection dropped, and the host could not be reached again within %s: %w", crossingPatience, gone), copyAgain}
		}
		if drops++; arrived {
			drops = 1
		}
		if drops == mostDrops {
			return &hintedError{fmt.Errorf("the connection dropped %d times without a path having arrived: %w", drops, err),
				"Nix sends a path whole or not at all: the one it was at must arrive within one connection; " + copyAgain}
		}
	}
}

const copyAgain = "deploy again once the connection holds: what has arrived is not sent again, and what the host runs and boots is as before"

// reconnect waits until the other machine answers again, ends what the copy has left there,
// and reports whether any path has arrived since that was asked last. gone is why it does
// not answer.
func (c *crossing) reconnect(ctx context.Context, a attempts) (arrived bool, gone error) {
	ctx, cancel := context.WithTimeout(ctx, crossingPatience)
	defer cancel()
	for {
		err := c.end(ctx, c.mark)
		if !dropped(err) {
			arrived, err = a.again(ctx)
		}
		if !dropped(err) {
			return arrived, nil // the next attempt will tell
		}
		if gone == nil || ctx.Err() == nil {
			gone = err
		}
		if pause(ctx, time.Second); ctx.Err() != nil {
			return false, gone
		}
	}
}

// connected makes sure that there is a connection for Nix, which makes none: the one
// that there was ends when it is idle for long, as during a build. It returns what
// tells it from others, 0 if nothing does.
func (c *crossing) connected(ctx context.Context) (master int, err error) {
	if _, tells := c.conn.(interface{ Master(context.Context) int }); !tells {
		return 0, nil
	}
	if master = masterOf(ctx, c.conn); master == 0 {
		_, err = c.conn.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
		master = masterOf(ctx, c.conn)
	}
	return master, err
}

// masterOf tells a Remote's connection from others that it has had; 0 if there is none,
// or if it cannot tell.
func masterOf(ctx context.Context, r Remote) int {
	if m, ok := r.(interface{ Master(context.Context) int }); ok {
		return m.Master(ctx)
	}
	return 0
}
