package recipes

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/traces"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// exportTime is how long a receiver of traces is waited for.
const exportTime = 3 * time.Second

// trace begins the run's trace, if the environment asks for one; what is done with
// the context that it returns belongs to it.
func (k *keeper) trace(ctx context.Context) context.Context {
	attributes := []attribute.KeyValue{attribute.Bool("flotilla.changes", k.run.Changes), attribute.Int("flotilla.hosts", len(k.session.hosts))}
	if k.run.ID > 0 {
		attributes = append(attributes, attribute.Int64("flotilla.run", k.run.ID))
	}
	ctx, traced, err := traces.Start(ctx, k.run.Target, attributes...)
	k.traced = traced
	k.untraced(err)
	return ctx
}

// export ends the trace and exports it meanwhile; the function that it returns waits
// for that, no longer than exportTime, nor after a second Ctrl-C.
func (k *keeper) export(ctx context.Context, r *fleet.Report) (wait func()) {
	if k.traced == nil {
		return func() {}
	}
	attributes := []attribute.KeyValue{attribute.Bool("flotilla.dirty", k.run.Dirty), attribute.Bool("flotilla.cancelled", r.Cancelled)}
	if k.run.Revision != "" {
		attributes = append(attributes, attribute.String("vcs.ref.head.revision", k.run.Revision))
	}
	k.traced.End(r.ExitCode(), attributes...)
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	done := make(chan error, 1)
	go func() {
		done <- k.traced.Flush(ctx)
	}()
	return func() {
		defer cancel()
		select {
		case err := <-done:
			k.untraced(err)
		case <-k.session.abandon:
			cancel()
			<-done
		}
	}
}

func (k *keeper) untraced(err error) {
	if err != nil {
		fmt.Fprintln(k.session.face, ui.Harmless("traces of this run are not exported: "+err.Error(), onActions()))
	}
}
