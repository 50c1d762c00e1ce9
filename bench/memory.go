package bench

import (
	"context"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// MemoryResult is what came of Memory.
type MemoryResult struct {
	// V is the version of this form: 1.
	V int `json:"v"`
	// Time is when it began.
	Time time.Time `json:"time"`
	// Environment is where it ran; its Available is what was free before.
	Environment Environment `json:"environment"`
	// Evaluations is the limit in force.
	Evaluations int `json:"limit_evaluations"`
	// Hosts are the hosts, in the order given.
	Hosts []HostMemory `json:"hosts"`
}

// HostMemory is what one host's evaluator and builders took.
type HostMemory struct {
	// Host is the host's name.
	Host string `json:"host"`
	// Evaluator is the largest resident set of its evaluator, Builder that of `nix
	// build` and what it started, rebuilding the host's own derivations, in bytes.
	// With a daemon the builders are the daemon's, and not counted.
	Evaluator int64 `json:"evaluator_bytes"`
	Builder   int64 `json:"builder_bytes"`
	// EvaluatorCPU and BuilderCPU are their processor times in seconds.
	EvaluatorCPU float64 `json:"evaluator_cpu_seconds"`
	BuilderCPU   float64 `json:"builder_cpu_seconds"`
	// Rebuilt is how many derivations were built again.
	Rebuilt int `json:"rebuilt"`
}

// Largest is the largest evaluator, and Sum that of all of them, in bytes.
func (r MemoryResult) Largest() (largest, sum int64) {
	for _, h := range r.Hosts {
		largest, sum = max(largest, h.Evaluator), sum+h.Evaluator
	}
	return largest, sum
}

// Allows is how many evaluators of the largest kind the memory available would
// hold; 0 if one of the two is not known.
func (r MemoryResult) Allows() int {
	largest, _ := r.Largest()
	if largest == 0 {
		return 0
	}
	return int(r.Environment.Available / largest)
}

// Memory measures what evaluating hosts without Nix's evaluation cache and
// rebuilding their own derivations takes, by the kernel's accounting of each
// process. All hosts are measured at once, as far as the limits allow. What is not
// built yet is built before. Errors are as those of Host.
func Memory(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host) (MemoryResult, error) {
	r := MemoryResult{V: recordVersion, Time: time.Now().UTC().Truncate(time.Second), Evaluations: f.LimitsInForce().Evaluations}
	var err error
	if r.Environment, err = Look(ctx, f); err != nil {
		return r, err
	}
	evaluated := f.Test(ctx, hosts, fleet.TestOptions{Fresh: true})
	if err := check(evaluated); err != nil {
		return r, err
	}
	own, report := f.OwnDerivations(ctx, hosts)
	if err := check(report); err != nil {
		return r, err
	}
	rebuilt := f.Rebuild(ctx, own)
	if err := check(rebuilt); err != nil {
		return r, err
	}
	for i, res := range evaluated.Results {
		h := HostMemory{Host: res.Host.Name, Rebuilt: len(own[i].Derivations)}
		if s, ok := sampleOf(res, fleet.StepEvaluate); ok {
			h.Evaluator, h.EvaluatorCPU = s.MaxRSS, s.CPU.Seconds()
		}
		if s, ok := sampleOf(rebuilt.Results[i], fleet.StepBuild); ok {
			h.Builder, h.BuilderCPU = s.MaxRSS, s.CPU.Seconds()
		}
		r.Hosts = append(r.Hosts, h)
	}
	r.Environment.LoadAfter = load()
	return r, nil
}
