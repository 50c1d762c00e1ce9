package fleet

import (
	"context"
	"fmt"
)

const (
	// unknownMemory is what an evaluation is taken to need while none of the
	// fleet has been measured: a NixOS host takes 0.5 to 1 GiB.
	unknownMemory = 1 << 30
	// namesMemory is for listing the names in a flake, for which no host is
	// evaluated.
	namesMemory = 128 << 20
	// checkName is what `nix flake check` is called among the hosts of what was
	// learnt; no host can have this name.
	checkName = "+check"
)

// demand is how much memory an evaluation is expected to take, in bytes.
type demand struct {
	// measured is what it took last time, 0 if that is not known; guess is for
	// then.
	measured, guess int64
	// roomy says that it was measured with a larger heap than Nix's own: it may do
	// with less.
	roomy bool
}

// bytes is what to wait for: last time's peak and an eighth. As long as that is
// only a margin or a guess, it never exceeds the limit.
func (d demand) bytes(limit int64) int64 {
	n := d.guess
	if d.measured > 0 {
		n = d.measured + d.measured/8
	}
	if limit > 0 && (d.measured <= limit || d.roomy) {
		n = min(n, limit)
	}
	return n
}

// tooLarge is the error for an evaluation that took more than the limit.
func (d demand) tooLarge(limit int64) error {
	if limit == 0 || d.measured <= limit || d.roomy {
		return nil
	}
	return &hintedError{fmt.Errorf("its last evaluation took %s, and limits.memory is %s", bytesText(d.measured), bytesText(limit)),
		fmt.Sprintf("set memory under [limits] in %s to %s or more, or leave it out: what does not fit then runs alone", FileName, bytesText(d.measured+d.measured/8))}
}

// admit waits until an evaluation may run, as far as cores and memory go. Call
// release when it is over.
func (f *Fleet) admit(ctx context.Context, d demand, waiting func()) (c *claim, release func(), err error) {
	cores, m := f.stages.evaluations, f.stages.memory
	if err := d.tooLarge(m.limit); err != nil {
		return nil, nil, err
	}
	if cores.Acquire(ctx, 1) != nil {
		return nil, nil, context.Cause(ctx)
	}
	if c, err = m.acquire(ctx, d.bytes(m.limit), waiting); err != nil {
		cores.Release(1)
		return nil, nil, err
	}
	c.plain = m.limit > 0 && d.measured > m.limit // to see whether it fits then
	return c, func() { c.release(); cores.Release(1) }, nil
}

// demandOf is how much memory a host's evaluation is expected to take. One that
// was not measured is taken for the largest of the fleet.
func (f *Fleet) demandOf(l learnt) demand {
	d := demand{measured: l.Memory, roomy: l.Roomy}
	if d.measured == 0 {
		d.guess = or(f.history.memory(), unknownMemory)
	}
	return d
}

// admit is Fleet.admit for the host's evaluation, of which it tells what is out
// of the ordinary.
func (j *job) admit(ctx context.Context) (*claim, func(), error) {
	d := j.fleet.demandOf(j.past)
	need := d.bytes(j.fleet.stages.memory.limit)
	c, release, err := j.fleet.admit(ctx, d, func() {
		j.progress(StepEvaluate, fmt.Sprintf("waits for %s of memory", bytesText(need)), 0, 0)
	})
	if err == nil && c.short > 0 {
		how := "as its last one did"
		if d.measured == 0 {
			how = "which is a guess"
		}
		j.warn(StepEvaluate, fmt.Sprintf("only %s of memory can be had now; the evaluation may take %s (%s), so no other runs beside it",
			bytesText(c.short), bytesText(need), how))
	}
	return c, release, err
}
