package lab

import (
	"bytes"
	"context"
	"strconv"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// applyBandwidth shapes what leaves either end of a machine's link.
func (l *Lab) applyBandwidth(ctx context.Context, machine string, bitsPerSecond int64) error {
	ends := []struct{ netns, device string }{
		{l.path.network(), machine},
		{l.path.name(machine), hostLink},
	}
	for _, end := range ends {
		var err error
		if bitsPerSecond == 0 {
			err = unshape(ctx, end.netns, end.device)
		} else {
			err = run(ctx, append([]string{"tc", "-netns", end.netns, "qdisc", "replace", "dev", end.device, "root"},
				tokenBucket(bitsPerSecond)...)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tokenBucket is a tc-tbf(8) filter. Its bucket holds what passes in 10 ms, but
// some full frames in any case; packets that would wait longer than 200 ms are
// dropped, as by a router's queue.
func tokenBucket(bitsPerSecond int64) []string {
	const frames = 10 * 1514
	burst := max(bitsPerSecond/8/100, frames)
	return []string{"tbf", "rate", strconv.FormatInt(bitsPerSecond, 10) + "bit",
		"burst", strconv.FormatInt(burst, 10), "latency", "200ms"}
}

func unshape(ctx context.Context, netns, device string) error {
	res, err := tool(ctx, proc.Cmd{Argv: []string{"tc", "-netns", netns, "qdisc", "show", "dev", device, "root"}})
	if err != nil || !bytes.Contains(res.Stdout, []byte("qdisc tbf")) {
		return err
	}
	return run(ctx, "tc", "-netns", netns, "qdisc", "delete", "dev", device, "root")
}
