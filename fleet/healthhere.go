package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// hereGrace is how long a command may take to end once it is late.
const hereGrace = time.Second

// runHere tries one check that is a command of this machine. Waiting for its turn
// does not count against its timeout.
func (p *prober) runHere(ctx context.Context, c HealthCheck) verdict {
	limit := p.job.fleet.stages.commands
	if err := limit.Acquire(ctx, 1); err != nil {
		return verdict{false, "there was no time for it"}
	}
	defer limit.Release(1)
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	h := p.job.host
	var mu sync.Mutex
	var last string
	keep := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if text := proc.LastLine(line); text != "" {
			last = text
		}
	}
	res, err := proc.Run(ctx, proc.Cmd{
		Argv: c.CommandHere, Dir: p.job.fleet.Inventory.Dir, Grace: hereGrace,
		Env:    proc.Environ("FLOTILLA_HOST="+h.Name, "FLOTILLA_ADDRESS="+h.Address),
		Stdout: keep, Stderr: keep, DiscardStdout: true, DiscardStderr: true,
	})
	return verdictHere(c, res.Code, last, err)
}

// verdictHere says what a command gave, as health.sh does of one on a host.
func verdictHere(c HealthCheck, code int, last string, err error) verdict {
	const most = 300
	if r := []rune(last); len(r) > most {
		last = string(r[:most])
	}
	if last != "" {
		last = ": " + last
	}
	var failed *proc.Error
	switch {
	case err == nil:
		return verdict{true, "exit code 0" + last}
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{false, fmt.Sprintf("no answer within %s", c.timeout())}
	case code >= 0:
		return verdict{false, fmt.Sprintf("exit code %d%s", code, last)}
	case errors.As(err, &failed) && failed.Err != nil:
		return verdict{false, failed.Err.Error() + last}
	}
	return verdict{false, err.Error()}
}
