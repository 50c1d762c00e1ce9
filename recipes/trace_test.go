package recipes

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// notes is a face that takes down what is said of the run as a whole.
type notes struct {
	ui.Face
	bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) { return n.Buffer.Write(p) }

// After a second Ctrl-C nobody waits for a receiver that says nothing, or reads of it;
// otherwise that it did not answer in time is one line.
func TestReceiverIsNotWaitedForAfterCtrlC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	for _, abandoned := range []bool{true, false} {
		var face notes
		abandon := make(chan struct{})
		if abandoned {
			close(abandon)
		}
		k := &keeper{session: session{face: &face, abandon: abandon}, run: history.Run{Target: "x"}}
		k.trace(t.Context())
		k.export(t.Context(), &fleet.Report{})()
		if said := face.String(); strings.Count(said, "traces of this run are not exported: ") != map[bool]int{true: 0, false: 1}[abandoned] {
			t.Errorf("abandoned %t: %q", abandoned, said)
		}
	}
}
