package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// Ping connects to each host and times the smallest command. It needs no Nix,
// here or there.
func (f *Fleet) Ping(ctx context.Context, hosts []Host) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		err := j.step(ctx, StepSurvey, f.stages.sessions, func(ctx context.Context) (string, error) {
			_, err := j.connect(ctx, func(ctx context.Context, conn Remote) error {
				if c, ok := conn.(interface{ Handshake() time.Duration }); ok {
					j.set(func(r *Result) { r.Handshake = c.Handshake() })
				}
				began := time.Now()
				_, err := conn.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
				j.set(func(r *Result) { r.RoundTrip = time.Since(began) })
				return err
			})
			return "", err
		})
		if err != nil {
			return "", err
		}
		j.set(func(r *Result) {
			r.Reason = fmt.Sprintf("answers in %d ms", max(1, r.RoundTrip.Milliseconds()))
			if r.Handshake > 0 {
				r.Reason += fmt.Sprintf("; connecting took %d ms", r.Handshake.Milliseconds())
			}
		})
		return Reached, nil
	})
}
