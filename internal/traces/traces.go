package traces

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Run is the trace of a run. All methods of nil do nothing.
type Run struct {
	provider *sdktrace.TracerProvider
	span     trace.Span
	to       *url.URL

	mu      sync.Mutex
	problem error
}

// Start begins the trace of a run if the environment asks for one, as part of the
// trace in TRACEPARENT if there is one. What is done with the context that it returns
// belongs to it. The Run is nil if nobody asks, and if there is an error, which is that
// it is asked for what cannot be.
func Start(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, *Run, error) {
	env := environment(func(name string) string { return strings.TrimSpace(os.Getenv(name)) })
	wanted, err := env.wanted()
	if err != nil || !wanted {
		return ctx, nil, err
	}
	s, err := env.settings()
	if err != nil {
		return ctx, nil, err
	}
	r := &Run{to: s.url}
	// The last to say something has its way.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "flotilla")), resource.WithFromEnv())
	if err != nil {
		r.failed(fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err))
	}
	r.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(about),
		sdktrace.WithBatcher(otlptrace.NewUnstarted(newSender(s, r.failed))))
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": env("TRACEPARENT"), "tracestate": env("TRACESTATE")})
	attributes = append(attributes, attribute.String("process.executable.name", "flotilla"), attribute.Int("process.pid", os.Getpid()))
	ctx, r.span = r.provider.Tracer("github.com/nixflotilla/flotilla/recipes").Start(ctx, name, trace.WithAttributes(attributes...))
	return ctx, r, nil
}

// failed keeps the first of what went wrong.
func (r *Run) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		r.problem = err
	}
}

// End ends the run's span, with its exit code and what else is to be said of it.
func (r *Run) End(code int, attributes ...attribute.KeyValue) {
	if r == nil {
		return
	}
	r.span.SetAttributes(append(attributes, attribute.Int("process.exit.code", code))...)
	if code != 0 {
		r.span.SetStatus(codes.Error, "")
		r.span.SetAttributes(attribute.String("error.type", strconv.Itoa(code)))
	}
	r.span.End()
}

// Flush exports what is not exported yet, and gives up once ctx is done. The error is
// the first of all that went wrong, on one line and without secrets.
func (r *Run) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	err := r.provider.Shutdown(ctx)
	if ctx.Err() != nil {
		err = errors.New("it did not take them in time")
	}
	if err != nil {
		r.failed(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		return nil
	}
	return fmt.Errorf("%s://%s%s: %s", r.to.Scheme, r.to.Host, r.to.Path, strings.ReplaceAll(r.problem.Error(), "\n", "; "))
}
