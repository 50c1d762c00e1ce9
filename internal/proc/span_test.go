package proc

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A child is a span within that of its context, and says nothing of its arguments.
func TestChildrenAreTraced(t *testing.T) {
	for _, c := range []struct {
		cmd              Cmd
		cancelled        bool
		name, code, kind string
		status           codes.Code
	}{
		{cmd: Cmd{Argv: []string{"/bin/sh", "-c", ": secret"}}, name: "sh", code: "0"},
		{cmd: Cmd{Argv: []string{"sh", "-c", "echo secret >&2; exit 7"}, Name: "sh script"}, name: "sh script", code: "7", kind: "7", status: codes.Error},
		{cmd: Cmd{Argv: []string{"/nowhere/program", "secret"}}, name: "program", kind: "not-found", status: codes.Error},
		{cmd: Cmd{Argv: []string{"sh", "-c", "kill -9 $$"}}, name: "sh", kind: "signal", status: codes.Error},
		{cmd: Cmd{Argv: []string{"sh", "-c", "echo; sleep 60"}}, cancelled: true, name: "sh", kind: "cancelled", status: codes.Error},
	} {
		spans := tracetest.NewInMemoryExporter()
		ctx, parent := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("t").Start(t.Context(), "parent")
		ctx, cancel := context.WithCancelCause(ctx)
		if c.cancelled {
			c.cmd.Stdout = func(string) { cancel(errors.New("enough")) }
		}
		_, _ = Run(ctx, c.cmd)
		cancel(nil)
		all := spans.GetSpans()
		if len(all) != 1 {
			t.Fatalf("%v: %d spans", c.cmd.Argv, len(all))
		}
		s := all[0]
		of := func(key string) string {
			i := slices.IndexFunc(s.Attributes, func(kv attribute.KeyValue) bool { return string(kv.Key) == key })
			if i < 0 {
				return ""
			}
			return s.Attributes[i].Value.String()
		}
		if s.Name != c.name || s.Status.Code != c.status || of("process.exit.code") != c.code || of("error.type") != c.kind ||
			s.Parent.SpanID() != parent.SpanContext().SpanID() || (of("process.pid") == "") != (c.kind == "not-found") {
			t.Errorf("%+v", s)
		}
		for _, kv := range s.Attributes {
			if v := kv.Value.String(); v == "secret" || len(v) > 20 {
				t.Errorf("%v", kv)
			}
		}
	}
}

// Where nobody traces, nothing is allocated for it.
func TestNoTraceCostsNothing(t *testing.T) {
	ctx, c := t.Context(), Cmd{Argv: []string{"true"}}
	if n := testing.AllocsPerRun(100, func() {
		s := begin(ctx, c)
		s.started(1)
		s.end(ctx, Result{}, nil)
	}); n > 1 { // the attribute of started
		t.Errorf("%v allocations", n)
	}
}
