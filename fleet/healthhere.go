package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/internal/local"
)

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
	code, last, err := local.Run(ctx, c.CommandHere, p.job.fleet.Inventory.Dir, "FLOTILLA_HOST="+h.Name, "FLOTILLA_ADDRESS="+h.Address)
	const most = 300
	if r := []rune(last); len(r) > most {
		last = string(r[:most])
	}
	if last != "" {
		last = ": " + last
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{false, fmt.Sprintf("no answer within %s", c.timeout())}
	case err != nil:
		return verdict{false, err.Error() + last}
	}
	return verdict{code == 0, fmt.Sprintf("exit code %d%s", code, last)}
}
