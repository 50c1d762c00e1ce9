package fleet

import (
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Progress is told when there is something to tell, and only when it changes.
func TestBuildProgress(t *testing.T) {
	const drv = nixcmd.StorePath("/nix/store/11111111111111111111111111111111-audio-1.0.drv")
	const path = nixcmd.StorePath("/nix/store/22222222222222222222222222222222-jq-1.8")
	const mib = 1 << 20
	totals := func(bytes, expected int64) nixcmd.BuildTotals {
		return nixcmd.BuildTotals{BuildsDone: 1, BuildsExpected: 2, FetchesExpected: 1, BytesDone: bytes, BytesExpected: expected}
	}
	var p buildProgress
	for i, c := range []struct {
		event nixcmd.BuildEvent
		told  bool
		want  buildProgress
	}{
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: nixcmd.BuildTotals{BuildsExpected: 2}}, false, buildProgress{text: "", done: 0, expected: 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildStarted, Derivation: drv, Totals: nixcmd.BuildTotals{BuildsExpected: 2}}, true, buildProgress{text: "building audio-1.0.drv", done: 0, expected: 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildLog, Derivation: drv, Text: "cc", Totals: nixcmd.BuildTotals{BuildsExpected: 2}}, false, buildProgress{text: "building audio-1.0.drv", done: 0, expected: 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: nixcmd.BuildTotals{BuildsDone: 1, BuildsExpected: 2}}, true, buildProgress{text: "building audio-1.0.drv", done: 1, expected: 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.FetchStarted, Path: path, Totals: totals(0, 0)}, true, buildProgress{"fetching jq-1.8", 1, 3, 0, 0, "jq-1.8"}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: totals(0, 300*mib)}, true, buildProgress{"fetching 0 of 300 MiB: jq-1.8", 1, 3, 0, 300 * mib, "jq-1.8"}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: totals(2*mib, 300*mib)}, false, buildProgress{"fetching 0 of 300 MiB: jq-1.8", 1, 3, 0, 300 * mib, "jq-1.8"}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: totals(120*mib, 300*mib)}, true, buildProgress{"fetching 120 of 300 MiB: jq-1.8", 1, 3, 120 * mib, 300 * mib, "jq-1.8"}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildStarted, Derivation: drv, Totals: totals(120*mib, 300*mib)}, true, buildProgress{"building audio-1.0.drv", 1, 3, 120 * mib, 300 * mib, ""}},
	} {
		if told := p.take(c.event); told != c.told || p != c.want {
			t.Errorf("%d: %v %+v, want %v %+v", i, told, p, c.told, c.want)
		}
	}
}
