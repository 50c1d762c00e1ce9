package fleet

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// Link is what was measured of the way to a host.
type Link struct {
	// RoundTrip is how long a line takes there and back, in a session that is open:
	// the median of five.
	RoundTrip time.Duration
	// Session is how long the smallest command takes over a connection that exists.
	Session time.Duration
	// Handshake is how long a new connection takes, log-in and the smallest command
	// included.
	Handshake time.Duration
	// Uplink is how many bytes a second the connection carries to the host, of data
	// that does not compress, encryption included.
	Uplink float64
}

// echoes is how many lines are timed.
const echoes = 5

// MeasureLink measures the way to each host, of which Uplink takes so many bytes,
// and at least 64 KiB: Reached. Results are in the order of the hosts; that of a host
// with an error is the zero Link.
func (f *Fleet) MeasureLink(ctx context.Context, hosts []Host, bytes int64) ([]Link, *Report) {
	links := make([]Link, len(hosts))
	report := f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		conn, err := j.reached(ctx)
		if err != nil {
			return "", err
		}
		l, err := measureLink(ctx, conn, bytes)
		if err != nil {
			return "", j.stepError(StepSurvey, err)
		}
		links[slices.IndexFunc(hosts, func(h Host) bool { return h.Name == j.host.Name })] = l
		return Reached, nil
	})
	return links, report
}

func measureLink(ctx context.Context, conn Remote, bytes int64) (l Link, err error) {
	nothing := sshpool.Cmd{Argv: []string{"true"}}
	if _, err = conn.Run(ctx, nothing); err != nil { // a connection that had ended
		return l, err
	}
	began := time.Now()
	if _, err = conn.Run(ctx, nothing); err != nil {
		return l, err
	}
	l.Session = time.Since(began)
	began = time.Now()
	if _, err = conn.Fresh(ctx, nothing); err != nil {
		return l, err
	}
	l.Handshake = time.Since(began)
	if l.RoundTrip, err = echo(ctx, conn); err != nil {
		return l, err
	}
	l.Uplink, err = uplink(ctx, conn, bytes)
	return l, err
}

// echo times lines that the host sends back.
func echo(ctx context.Context, conn Remote) (time.Duration, error) {
	lines, input := io.Pipe()
	answers, ended := make(chan struct{}), make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		_, failed = conn.Run(ctx, sshpool.Cmd{
			Argv: []string{"sh", "-c", `while read -r line; do echo "$line"; done`}, Stdin: lines,
			Stdout: func(string) { answers <- struct{}{} },
		})
		lines.Close()
	}()
	var took []time.Duration
	for range echoes + 1 { // the first has to wait for the session
		began := time.Now()
		if _, err := io.WriteString(input, "x\n"); err != nil {
			break
		}
		select {
		case <-answers:
			took = append(took, time.Since(began))
		case <-ended:
		}
	}
	input.Close()
	<-ended
	if failed == nil && len(took) <= echoes {
		failed = errors.New("the host does not answer what it is sent")
	}
	if failed != nil {
		return 0, failed
	}
	took = took[1:]
	slices.Sort(took)
	return took[echoes/2], nil
}
