package fleet

import (
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Progress is told when there is something to tell, and only when it changes.
func TestBuildProgress(t *testing.T) {
	const drv = nixcmd.StorePath("/nix/store/11111111111111111111111111111111-audio-1.0.drv")
	const path = nixcmd.StorePath("/nix/store/22222222222222222222222222222222-jq-1.8")
	var p buildProgress
	for i, c := range []struct {
		event nixcmd.BuildEvent
		told  bool
		want  buildProgress
	}{
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: nixcmd.BuildTotals{BuildsExpected: 2}}, false, buildProgress{"", 0, 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildStarted, Derivation: drv, Totals: nixcmd.BuildTotals{BuildsExpected: 2}}, true, buildProgress{"building audio-1.0.drv", 0, 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildLog, Derivation: drv, Text: "cc", Totals: nixcmd.BuildTotals{BuildsExpected: 2}}, false, buildProgress{"building audio-1.0.drv", 0, 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: nixcmd.BuildTotals{BuildsDone: 1, BuildsExpected: 2}}, true, buildProgress{"building audio-1.0.drv", 1, 2}},
		{nixcmd.BuildEvent{Kind: nixcmd.FetchStarted, Path: path, Totals: nixcmd.BuildTotals{BuildsDone: 1, BuildsExpected: 2, FetchesExpected: 1}}, true, buildProgress{"fetching jq-1.8", 1, 3}},
		{nixcmd.BuildEvent{Kind: nixcmd.BuildProgress, Totals: nixcmd.BuildTotals{BuildsDone: 1, BuildsExpected: 2, FetchesExpected: 1, BytesDone: 9}}, false, buildProgress{"fetching jq-1.8", 1, 3}},
	} {
		if told := p.take(c.event); told != c.told || p != c.want {
			t.Errorf("%d: %v %+v, want %v %+v", i, told, p, c.told, c.want)
		}
	}
}
