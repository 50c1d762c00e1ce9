package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/while.sh
var whileScript string

// straightCopy is the copy of a system to its host that the build host makes. It ends with the
// connection to the build host, and goes on over another.
type straightCopy struct {
	crossing
	way      route
	s        surveyed
	progress *copyProgress
}

// copyStraight has the build host copy the system to the job's host. Errors are
// *straightError, or those of the connection to the build host.
func (j *job) copyStraight(ctx context.Context, way route, s surveyed, p *copyProgress) error {
	c := straightCopy{crossing: j.crossing(way.conn, way.on.Name, "the connection to "+way.on.Name+" dropped while that sent paths"), way: way, s: s, progress: p}
	err := c.cross(ctx, &c)
	if err != nil {
		c.endThere(ctx)
	}
	return err
}

// endThereTime bounds how long the host may take to end what a copy has left on it.
const endThereTime = 3 * time.Second

// endThere ends what the copy has left on the host. If it is between the build host and the
// host that the link was cut, the host learns nothing of it, for hours at worst, and has the next
// copy wait for the lock of the path that this one was at.
func (c *straightCopy) endThere(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endThereTime)
	defer cancel()
	_, _ = c.s.conn.Run(ctx, sshpool.Cmd{Script: endCopyScript, Argv: []string{nixcmd.MarkName + "=" + c.mark}})
}

// again asks the host what has arrived.
func (c *straightCopy) again(ctx context.Context) (arrived bool, err error) {
	c.progress.restart(nil)
	wanted, err := c.job.query(ctx, c.s, c.job.builtClosure)
	if err != nil {
		return false, err
	}
	k, err := askStore(ctx, c.s.conn, wanted, "")
	if err != nil {
		return false, err
	}
	return c.progress.restart(k), nil
}

func (c *straightCopy) explain(_ context.Context, err error) error { return err }

// straightError is a copy that a build host began and did not complete.
type straightError struct{ on, text string }

func (e *straightError) Error() string {
	return fmt.Sprintf("%s could not copy it to the host: %s", e.on, e.text)
}

// passable reports whether a copy that failed on its way may succeed through here: not if
// the build host itself was lost.
func (r route) passable(err error) bool {
	var e *straightError
	return errors.As(err, &e)
}

// once has the build host make one attempt. It is ended there too when ctx is done. Errors are
// *straightError, or those of the connection.
func (c *straightCopy) once(ctx context.Context) error {
	j, r := c.job, c.way
	to := j.onward()
	opt := nixcmd.CopyOptions{To: nixcmd.CopyURL(to.User, to.Host), NoCheckSigs: true, Mark: c.mark}
	args, err := nixcmd.RemoteCopyArgs([]nixcmd.StorePath{c.s.eval.Toplevel}, opt)
	if err != nil {
		return err
	}
	ssh, err := sshpool.OnwardNixSSHOpts(to)
	if err != nil {
		return err
	}
	open, stop, err := os.Pipe()
	if err != nil {
		return err
	}
	defer open.Close()
	defer stop.Close()
	// What a shell's own PATH holds is what Nix's connections from here find, too.
	argv := append([]string{"sh", "-c", whileScript, "sh", "env", "LC_ALL=C", "NO_COLOR=1", nixcmd.MarkName + "=" + c.mark, "NIX_SSHOPTS=" + ssh, "nix"}, args...)
	each := func(e nixcmd.CopyEvent) { j.copying(c.progress, e) }
	res, err := r.conn.Run(ctx, sshpool.Cmd{Argv: argv, Stdin: open, Stderr: nixcmd.NewCopyLog(each).Line})
	var exit *sshpool.ExitError
	if errors.As(err, &exit) {
		return &straightError{r.on.Name, or(lastOf(nixcmd.CopyMessage(string(res.Stderr))), oneLine(err))}
	}
	return err
}

// lastOf is the last line of a text.
func lastOf(text string) string {
	lines := lastLines(text)
	return strings.TrimSpace(lines[len(lines)-1])
}
