package fleet

import (
	"context"
	"fmt"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// collection is the copy of a system from the host that has built it to here.
type collection struct {
	crossing
	on       Host
	toplevel nixcmd.StorePath
	// begun are the paths whose turn has come, in all attempts, and arrived how many of
	// them are here by the time of the last one; most is the largest arrived so far.
	begun         map[nixcmd.StorePath]bool
	arrived, most int
}

// fetch brings a system here from the host that has it, if another than the target
// does.
func (j *job) fetch(ctx context.Context, way route, toplevel nixcmd.StorePath) error {
	if way.conn == nil {
		return nil
	}
	c := collection{crossing: j.crossing(way.conn, way.on.Name, "the connection to "+way.on.Name+" dropped while paths were fetched"),
		on: way.on, toplevel: toplevel, begun: map[nixcmd.StorePath]bool{}}
	if err := c.cross(ctx, &c); err != nil {
		return fmt.Errorf("build host %s: %w", way.on.Name, crowded(way.conn, way.on.Name, err))
	}
	return nil
}

func (c *collection) once(ctx context.Context) error {
	j := c.job
	return j.fleet.nix.Fetch(ctx, []nixcmd.StorePath{c.toplevel}, nixcmd.FetchOptions{
		From: nixcmd.CopyURL(c.on.User, c.on.Address), SSHOpts: c.conn.NixSSHOpts(), NoCheckSigs: true, Mark: c.mark,
		Progress: func(e nixcmd.CopyEvent) {
			if e.Path == "" {
				return
			}
			c.begun[e.Path] = true
			done, expected := c.arrived+e.Done, c.arrived+e.Expected
			j.progress(StepCopy, fmt.Sprintf("from %s, %d of %d paths: %s", c.on.Name, done+1, expected, e.Path.Name()), done, expected)
		},
	})
}

// again asks the store here, and no connection.
func (c *collection) again(ctx context.Context) (arrived bool, err error) {
	paths := make([]nixcmd.StorePath, 0, len(c.begun))
	for p := range c.begun {
		paths = append(paths, p)
	}
	missing, err := c.job.fleet.nix.Missing(ctx, paths)
	if err != nil {
		c.arrived = 0 // not known
		return false, nil
	}
	c.arrived = len(paths) - len(missing)
	before := c.most
	c.most = max(c.most, c.arrived)
	return c.arrived > before, nil
}

func (c *collection) explain(_ context.Context, err error) error { return err }
