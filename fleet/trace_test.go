package fleet

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	attr "go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/nixflotilla/flotilla/sshpool"
)

// spanned notes the span that new connections are made in.
type spanned struct {
	*talkative
	in []trace.SpanID
}

func (h *spanned) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h *spanned) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	h.in = append(h.in, trace.SpanFromContext(ctx).SpanContext().SpanID())
	return h.talkative.Fresh(ctx, cmd)
}

// The connection that confirms is in the commit's span, which is one however early it is
// begun, and is told as given up if the commit never has its turn.
func TestConnectionAheadIsInTheCommitsSpan(t *testing.T) {
	for name, c := range map[string]struct {
		breaks, checks bool
	}{
		"well":              {},
		"ends badly":        {breaks: true},
		"checks come first": {checks: true},
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			synctest.Test(t, func(t *testing.T) {
				f, h := hospital(t, always(true))
				if !c.checks {
					f.Inventory.Health = Health{}
				}
				host := &spanned{talkative: &talkative{fakeHost: h, breaks: c.breaks}}
				f.dialer = host
				ctx, root := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("t").Start(t.Context(), "run")
				f.Deploy(ctx, f.Inventory.Hosts, DeployOptions{})
				root.End()
				all := spans.GetSpans()
				var commits []tracetest.SpanStub
				for _, s := range all {
					if s.Name == string(StepCommit) {
						commits = append(commits, s)
					}
				}
				if len(commits) != 1 {
					t.Fatalf("%d spans of commits", len(commits))
				}
				commit := commits[0]
				if len(host.in) != 1 || host.in[0] != commit.SpanContext.SpanID() {
					t.Errorf("new connections are made in %v, not in the commit's %s", host.in, commit.SpanContext.SpanID())
				}
				if i := slices.IndexFunc(all, func(s tracetest.SpanStub) bool { return s.SpanContext.Equal(commit.Parent) }); i < 0 || all[i].Name != "host a" {
					t.Errorf("it is within %v", commit.Parent)
				}
				if slices.Contains(commit.Attributes, attr.Bool("flotilla.given_up", true)) != c.breaks {
					t.Errorf("%v", commit.Attributes)
				}
			})
		})
	}
}
