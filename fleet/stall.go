package fleet

import (
	"context"
	"time"
)

// stallFor is how long a host may take nothing of a copy before that is told: longer than
// it takes to find a connection dead, which ends the copy.
const stallFor = 20 * time.Second

// tellStall warns if the host takes nothing more of what is left. Nix waits for the lock of a path
// without a word, and for hours where it is held by a copy of an earlier run whose connection the
// host does not know to be gone. What it returns waits for its end.
func (d *delivery) tellStall(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var last int64
		since := time.Now()
		for !d.stallTold {
			if pause(ctx, time.Second); ctx.Err() != nil {
				return
			}
			sent, left := d.progress.sent()
			if sent != last || sent == 0 || left == 0 {
				last, since = sent, time.Now()
			}
			if time.Since(since) >= stallFor {
				d.stallTold = true
				d.job.warn(StepCopy, "for "+stallFor.String()+" the host has taken nothing more, though it is connected: "+
					"its Nix may be waiting for a path that another copy has begun there; if that is left of one that was cut, end it "+
					"(on the host: ps -eo pid,etime,args | grep 'nix-daemon --stdio')")
			}
		}
	}()
	return func() { <-done }
}
