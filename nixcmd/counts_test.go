package nixcmd

import (
	"fmt"
	"testing"
)

// Allocations, never times; see TestAllocations of package fleet. The flood of a
// large copy, numbers only, must cost none at all.
func TestAllocations(t *testing.T) {
	var ev event
	parse := func(line string) func() {
		return func() {
			if !parseEvent(line, &ev) {
				t.Fatal(line)
			}
		}
	}
	log := newBuildLog(func(BuildEvent) {})
	log.line(`@nix {"action":"start","fields":["/nix/store/2in81c934cf43y5ji38dd3qc7yii8xwj-etc.drv","",1,1],"id":7,"level":3,"parent":0,"text":"","type":105}`)
	before, after := make([]PathInfo, 1000), make([]PathInfo, 1000)
	for i := range before {
		before[i] = PathInfo{Path: StorePath(fmt.Sprintf("/nix/store/%032d-package%d-1.0", i, i)), NarSize: 1}
		after[i] = PathInfo{Path: StorePath(fmt.Sprintf("/nix/store/%032d-package%d-1.%d", i+i%10, i, i%10)), NarSize: 1}
	}
	for _, c := range []struct {
		what string
		most float64
		do   func()
	}{
		{"a line of progress", 0, parse(`@nix {"action":"result","fields":[2097152,41943040,0,0],"id":111669149703,"type":105}`)},
		{"a line of a build's log", 1, parse(`@nix {"action":"result","fields":["  CC      netdev.o"],"id":25769803781,"type":101}`)},
		{"a build that starts", 33, parse(`@nix {"action":"start","fields":["/nix/store/2in81c934cf43y5ji38dd3qc7yii8xwj-etc.drv","",1,1],"id":25769803781,"level":3,"parent":0,"text":"building etc","type":105}`)},
		{"a line of a build's log, followed", 1, func() { log.line(`@nix {"action":"result","fields":["line"],"id":7,"type":101}`) }},
		{"the difference of two closures of 1000 paths", 26_000, func() { Diff(before, after) }},
	} {
		n := testing.AllocsPerRun(50, c.do)
		t.Logf("%s: %.0f allocations", c.what, n)
		if n > c.most {
			t.Errorf("%s: %.0f allocations, at most %.0f", c.what, n, c.most)
		}
	}
}
