// Command otlpreceiver takes traces by OTLP over HTTP, and prints each span as a line
// of JSON.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

type span struct {
	Name, Kind, Status, Message string
	Trace, ID, Parent           string
	Start, End                  uint64
	Attributes, Resource        map[string]string
}

func main() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, l.Addr())
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData
		if err == nil {
			err = proto.Unmarshal(body, &data)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, rs := range data.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					out.Encode(span{
						s.Name, s.Kind.String(), s.Status.GetCode().String(), s.Status.GetMessage(),
						hex.EncodeToString(s.TraceId), hex.EncodeToString(s.SpanId), hex.EncodeToString(s.ParentSpanId),
						s.StartTimeUnixNano, s.EndTimeUnixNano, texts(s.Attributes), texts(rs.Resource.Attributes),
					})
				}
			}
		}
	})))
}

func texts(all []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, kv := range all {
		out[kv.Key] = kv.Value.GetStringValue()
		if _, text := kv.Value.Value.(*commonpb.AnyValue_StringValue); !text {
			v, _ := json.Marshal(kv.Value.Value)
			out[kv.Key] = string(v)
		}
	}
	return out
}
