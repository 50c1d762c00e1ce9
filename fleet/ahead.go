package fleet

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/nixflotilla/flotilla/sshpool"
)

// ahead is a commit that is begun while the activation's session still has its last
// words to say. Its connection is made after the activation has ended, so that it
// proves as much as one that is made later; but nothing is sent over it until it is
// its turn.
type ahead struct {
	unit *unit
	// turn is closed when it is its turn, done when it has come to its end.
	turn, done chan struct{}
	end        unitEnd
	err        error
	giveUp     context.CancelFunc
	// span is the commit's, endSpan ends it.
	span    trace.Span
	endSpan endStep
}

// goAhead begins to commit a system that is to be live. Call either take or drop.
func (u *unit) goAhead(ctx context.Context) *ahead {
	c := u.sibling(StepCommit)
	a := &ahead{unit: c, turn: make(chan struct{}), done: make(chan struct{})}
	c.ahead = a
	ctx, a.endSpan = stepSpan(ctx, u.job.host, StepCommit)
	a.span = trace.SpanFromContext(ctx)
	ctx, a.giveUp = context.WithCancel(ctx)
	go func() {
		defer close(a.done)
		a.end, a.err = c.commit(ctx, true)
	}()
	return a
}

// take lets it commit, and waits for its end.
func (a *ahead) take() (unitEnd, error) {
	close(a.turn)
	<-a.done
	return a.end, a.err
}

// drop gives up what was not taken.
func (a *ahead) drop() {
	if a != nil {
		a.giveUp()
		<-a.done
		a.endSpan(nil, true)
	}
}

// hold is a session that is not begun before it is its turn.
func (a *ahead) hold(run sessionFunc) sessionFunc {
	if a == nil {
		return run
	}
	return func(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
		cmd.Hold = a.turn
		return run(ctx, cmd)
	}
}

// wait returns when it is its turn: what goes wrong before is not told sooner.
func (a *ahead) wait(ctx context.Context) {
	if a == nil {
		return
	}
	select {
	case <-a.turn:
	case <-ctx.Done():
	}
}
