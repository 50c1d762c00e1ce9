package fleet

import (
	"context"
	"strings"

	attr "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// start begins a span within that of ctx, whose tracer provider it takes. Without one
// nothing is recorded.
func start(ctx context.Context, name string, attributes ...attr.KeyValue) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/nixflotilla/flotilla/fleet")
	return tracer.Start(ctx, name, trace.WithAttributes(attributes...))
}

// hostSpan begins the span of all the work on a host. Its end is to be told what came
// of that.
func hostSpan(ctx context.Context, h Host) (context.Context, func(Result)) {
	ctx, span := start(ctx, "host "+h.Name, attr.String("flotilla.host", h.Name), attr.String("server.address", h.Address))
	return ctx, func(r Result) {
		span.SetAttributes(attr.String("flotilla.outcome", string(r.Outcome)))
		if r.Wanted != "" {
			span.SetAttributes(attr.String("flotilla.toplevel", string(r.Wanted)))
		}
		if r.Evaluation != (Verdict{}) {
			span.SetAttributes(attr.Bool("flotilla.evaluation.avoided", r.Evaluation.Avoided))
		}
		if !r.Outcome.OK() {
			text := r.Reason
			if r.Err != nil {
				text = brief(r.Err)
			}
			failed(span, string(r.Outcome), text)
		}
		span.End()
	}
}

// endStep ends a step's span. It is told the step's error, or that it was given up; of
// one that has ended it changes nothing.
type endStep func(err error, givenUp bool)

// stepSpan begins the span of one step of a host.
func stepSpan(ctx context.Context, h Host, s Step) (context.Context, endStep) {
	ctx, span := start(ctx, string(s), attr.String("flotilla.host", h.Name))
	return ctx, func(err error, givenUp bool) {
		switch {
		case givenUp:
			span.SetAttributes(attr.Bool("flotilla.given_up", true))
		case err != nil:
			failed(span, string(outcomeOf(ctx, err)), brief(err))
		}
		span.End()
	}
}

// commitSpan begins the span of a commit, or is the one that was begun ahead.
func (u *unit) commitSpan(ctx context.Context) (context.Context, endStep) {
	if u.ahead == nil {
		return stepSpan(ctx, u.job.host, StepCommit)
	}
	return trace.ContextWithSpan(ctx, u.ahead.span), u.ahead.endSpan
}

// failed says of a span that it went wrong: in a word of few, and as people are told.
func failed(span trace.Span, word, text string) {
	span.SetStatus(codes.Error, strings.ToValidUTF8(text, "?"))
	span.SetAttributes(attr.String("error.type", word))
}
