package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// sender sends spans to a receiver; it is the client of an otlptrace.Exporter.
type sender struct {
	settings
	client *http.Client
	// failed is told what could not be sent; the SDK would write it to the process's log.
	failed func(error)
}

func newSender(s settings, failed func(error)) *sender {
	return &sender{settings: s, failed: failed, client: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, ForceAttemptHTTP2: true},
		// Headers may hold what is for this receiver alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start does nothing: the first request connects.
func (s *sender) Start(context.Context) error { return nil }

// Stop ends the connection.
func (s *sender) Stop(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, or says to failed why not.
func (s *sender) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	if err := s.send(ctx, spans); err != nil {
		s.failed(err)
	}
	return nil
}

// send sends spans within the timeout. A receiver that says that it is busy is asked
// again; one that cannot be connected to is not, so that nobody waits for it.
func (s *sender) send(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// It has the form of an ExportTraceServiceRequest, whose package brings gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if s.gzip {
		if body, err = compressed(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		var busy *busyError
		err := s.post(ctx, body)
		if !errors.As(err, &busy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(pause, busy.after)):
		}
	}
}

func compressed(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// busyError is a receiver that wants to be asked again.
type busyError struct {
	status string
	after  time.Duration
}

func (e *busyError) Error() string { return "it answers " + e.status }

func (s *sender) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range s.headers {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if s.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := s.client.Do(req)
	var named *url.Error
	switch {
	case errors.As(err, &named): // which has the whole URL
		return named.Err
	case err != nil:
		return err
	}
	defer res.Body.Close()
	const most = 1 << 20
	answer, err := io.ReadAll(io.LimitReader(res.Body, most))
	switch res.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		if err != nil {
			return err
		}
		return refused(answer)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 20)
		return &busyError{res.Status, time.Duration(seconds) * time.Second}
	}
	return fmt.Errorf("it answers %s", res.Status)
}

// refused is what an ExportTraceServiceResponse says of spans that were not taken:
// partial_success (1) has rejected_spans (1) and error_message (2). An answer that is
// something else says nothing.
func refused(answer []byte) error {
	partial, _ := protowire.ConsumeBytes(field(answer, 1, protowire.BytesType))
	message, _ := protowire.ConsumeBytes(field(partial, 2, protowire.BytesType))
	if n, _ := protowire.ConsumeVarint(field(partial, 1, protowire.VarintType)); n > 0 {
		return fmt.Errorf("it refused %d spans: %q", n, message)
	}
	return nil
}

// field is the value of a message's first field of a number and type, as it is on
// the wire; nil if there is none.
func field(message []byte, number protowire.Number, want protowire.Type) []byte {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(num, typ, message)
		if size < 0 {
			return nil
		}
		if num == number && typ == want {
			return message[:size]
		}
		message = message[size:]
	}
	return nil
}
