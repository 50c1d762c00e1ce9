package traces

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// receiver takes OTLP over HTTP, as a collector does.
type receiver struct {
	t *testing.T
	// answer is how it answers the n-th request, from 1; nil means well.
	answer func(n int, w http.ResponseWriter)

	mu       sync.Mutex
	n        int
	requests []*http.Request
	spans    map[string]*tracepb.Span
	resource map[string]string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.requests = append(r.requests, req)
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			r.t.Error(err)
			return
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		r.t.Error(err)
	}
	if r.answer != nil {
		r.answer(r.n, w)
		return
	}
	var data tracepb.TracesData
	if err := proto.Unmarshal(text, &data); err != nil {
		r.t.Error(err)
	}
	for _, rs := range data.ResourceSpans {
		for _, kv := range rs.Resource.Attributes {
			r.resource[kv.Key] = kv.Value.GetStringValue()
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				r.spans[s.Name] = s
			}
		}
	}
}

// receive starts one, and has the environment name it.
func receive(t *testing.T, answer func(int, http.ResponseWriter)) *receiver {
	t.Helper()
	clean(t)
	r := &receiver{t: t, answer: answer, spans: map[string]*tracepb.Span{}, resource: map[string]string{}}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	return r
}

// clean takes out what the environment says.
func clean(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "TRACE") {
			t.Setenv(name, "")
		}
	}
}

// oneRun is a run with a span within.
func oneRun(t *testing.T) error {
	t.Helper()
	ctx, r, err := Start(t.Context(), "deployAll", attribute.Int("flotilla.hosts", 4))
	if err != nil {
		t.Fatal(err)
	}
	_, inner := trace.SpanFromContext(ctx).TracerProvider().Tracer("x").Start(ctx, "host p620")
	inner.End()
	r.End(3, attribute.Bool("flotilla.dirty", true))
	return r.Flush(t.Context())
}

func TestRunIsExported(t *testing.T) {
	r := receive(t, nil)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret, x-tenant=a")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=home,host.name=ci")
	t.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err := oneRun(t); err != nil {
		t.Fatal(err)
	}
	run, host := r.spans["deployAll"], r.spans["host p620"]
	if run == nil || host == nil {
		t.Fatalf("%v", r.spans)
	}
	if hex.EncodeToString(run.TraceId) != "0af7651916cd43dd8448eb211c80319c" || hex.EncodeToString(run.ParentSpanId) != "b7ad6b7169203331" ||
		string(host.ParentSpanId) != string(run.SpanId) || string(host.TraceId) != string(run.TraceId) {
		t.Errorf("%v\n%v", run, host)
	}
	if run.Status.Code != tracepb.Status_STATUS_CODE_ERROR || run.Kind != tracepb.Span_SPAN_KIND_INTERNAL || run.EndTimeUnixNano <= run.StartTimeUnixNano {
		t.Errorf("%v", run)
	}
	of := map[string]string{}
	for _, kv := range run.Attributes {
		of[kv.Key] = strings.TrimSpace(kv.Value.String())
	}
	if of["process.exit.code"] != "int_value:3" || of["error.type"] != `string_value:"3"` || of["flotilla.hosts"] != "int_value:4" || of["flotilla.dirty"] != "bool_value:true" {
		t.Errorf("%v", of)
	}
	if r.resource["service.name"] != "flotilla" || r.resource["deployment.environment.name"] != "home" || r.resource["host.name"] != "ci" || r.resource["telemetry.sdk.language"] != "go" {
		t.Errorf("%v", r.resource)
	}
	req := r.requests[0]
	if req.URL.Path != "/v1/traces" || req.Header.Get("Authorization") != "Bearer secret" || req.Header.Get("X-Tenant") != "a" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("%s %v", req.URL, req.Header)
	}
}

func TestVariablesForTracesComeFirst(t *testing.T) {
	r := receive(t, nil)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+"/here?q=1")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	t.Setenv("OTEL_SERVICE_NAME", "fleet")
	if err := oneRun(t); err != nil || len(r.spans) != 2 || r.requests[0].URL.String() != "/here?q=1" || r.resource["service.name"] != "fleet" {
		t.Errorf("%v, %v, %v", err, r.spans, r.resource)
	}
}

func TestParentThatIsNotSampled(t *testing.T) {
	r := receive(t, nil)
	t.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	if err := oneRun(t); err != nil || r.n != 0 {
		t.Errorf("%v, %d requests", err, r.n)
	}
	t.Setenv("TRACEPARENT", "nonsense") // a trace of its own, as W3C wants
	if err := oneRun(t); err != nil || len(r.spans) != 2 || len(r.spans["deployAll"].ParentSpanId) > 0 {
		t.Errorf("%v, %v", err, r.spans)
	}
}

func TestNobodyAsks(t *testing.T) {
	r := receive(t, nil)
	for _, kv := range []string{"OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT="} {
		name, value, _ := strings.Cut(kv, "=")
		t.Run(kv, func(t *testing.T) {
			t.Setenv(name, value)
			ctx, run, err := Start(t.Context(), "x")
			if err != nil || run != nil || trace.SpanFromContext(ctx).IsRecording() {
				t.Errorf("%v, %v", run, err)
			}
			run.End(0)
			if err := run.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if r.n > 0 {
		t.Errorf("%d requests", r.n)
	}
}

// What is wrong is said with the variable's name, and nothing of secrets.
func TestSettingsThatAreWrong(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct{ kv, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT is not the address"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://u:secret@h", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is not the address"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:secret@h:x", "OTEL_EXPORTER_OTLP_ENDPOINT is not the address"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": only http/protobuf`},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=b,secret", "OTEL_EXPORTER_OTLP_HEADERS: header 2"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=secret%0d%0ax:y", "header 1"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a b=secret", "header 1"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "give milliseconds"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", "gzip and none"},
		{"OTEL_TRACES_EXPORTER=zipkin", "there are otlp and none"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE=" + none, "OTEL_EXPORTER_OTLP_CERTIFICATE: open"},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY=x", "go together"},
	} {
		t.Run(c.kv, func(t *testing.T) {
			clean(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			name, value, _ := strings.Cut(c.kv, "=")
			t.Setenv(name, value)
			ctx, run, err := Start(t.Context(), "x")
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") || run != nil || ctx == nil {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestHeadersNeverPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.StringOf(rapid.RuneFrom([]rune("ab =,%20\r\n\x00é:"))).Draw(t, "list")
		h, err := environment(func(string) string { return list }).headers()
		if err == nil {
			for name, values := range h {
				if !isToken(name) || strings.ContainsAny(values[0], "\r\n\x00") {
					t.Fatalf("%q: %v", list, h)
				}
			}
		}
	})
}

func TestReceiverInTrouble(t *testing.T) {
	partial := protowire.AppendTag(nil, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, 2)
	partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), "too old")
	partial = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	for name, c := range map[string]struct {
		answer   func(int, http.ResponseWriter)
		requests int
		want     string
	}{
		"refuses": {func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, 1, "/v1/traces: it answers 401 Unauthorized"},
		"busy, then well": {func(n int, w http.ResponseWriter) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, 2, ""},
		"takes a part": {func(_ int, w http.ResponseWriter) { w.Write(partial) }, 1, `it refused 2 spans: "too old"`},
		"nonsense":     {func(_ int, w http.ResponseWriter) { w.Write([]byte("\xff\xff<html>")) }, 1, ""},
		"redirects": {func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 1, "it answers 307"},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, c.answer)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
			err := oneRun(t)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) || r.n != c.requests {
				t.Errorf("%v after %d requests", err, r.n)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error(err)
			}
		})
	}
}

func TestReceiverThatIsDown(t *testing.T) {
	clean(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:secret@"+l.Addr().String()+"?token=secret")
	if err := oneRun(t); err == nil || !strings.HasPrefix(err.Error(), "http://"+l.Addr().String()+"/v1/traces: ") || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// One that takes a connection and says nothing is waited for as long as Flush is
// given, and no longer.
func TestReceiverThatSaysNothing(t *testing.T) {
	clean(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	_, r, err := Start(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	r.End(0)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Flush(ctx); err == nil || !strings.Contains(err.Error(), "did not take them in time") {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	clean(t)
	r := &receiver{t: t, spans: map[string]*tracepb.Span{}, resource: map[string]string{}}
	s := httptest.NewUnstartedServer(r)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	if err := oneRun(t); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("nobody vouches for it: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file)
	if err := oneRun(t); err != nil || len(r.spans) != 2 {
		t.Errorf("%v, %v", err, r.spans)
	}
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Start(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Error(err)
	}
}

// The first of several problems is told, and once.
func TestFirstProblem(t *testing.T) {
	r := &Run{}
	r.failed(errors.New("first"))
	r.failed(errors.New("second"))
	if r.problem.Error() != "first" {
		t.Error(r.problem)
	}
}
