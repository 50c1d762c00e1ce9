package proc

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// span is a child's part of a trace: that of a caller in OpenTelemetry's conventions
// for command line programs. Neither its arguments nor what it printed are in it,
// since both may hold secrets.
type span struct{ trace.Span }

// begin begins a child's span within that of ctx, if that is recorded.
func begin(ctx context.Context, c Cmd) span {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return span{noop.Span{}}
	}
	program := filepath.Base(c.Argv[0])
	name := program
	if c.Name != "" {
		name = c.Name
	}
	_, s := parent.TracerProvider().Tracer("github.com/nixflotilla/flotilla/internal/proc").Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("process.executable.name", program)))
	return span{s}
}

func (s span) started(pid int) {
	s.SetAttributes(attribute.Int("process.pid", pid))
}

func (s span) end(ctx context.Context, res Result, err error) {
	if s.IsRecording() {
		if res.Code >= 0 {
			s.SetAttributes(attribute.Int("process.exit.code", res.Code))
		}
		if err != nil {
			s.SetStatus(codes.Error, "")
			s.SetAttributes(attribute.String("error.type", errorType(ctx, res, err)))
		}
	}
	s.End()
}

// errorType is a word for how a child failed, or its exit code.
func errorType(ctx context.Context, res Result, err error) string {
	var e *Error
	switch {
	case ctx.Err() != nil:
		return "cancelled"
	case res.Code > 0:
		return strconv.Itoa(res.Code)
	case errors.As(err, &e) && e.NotFound():
		return "not-found"
	case res.Duration == 0:
		return "not-started"
	}
	return "signal"
}
