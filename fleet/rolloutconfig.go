package fleet

import "fmt"

// fileRollout is [rollout] as it is written.
type fileRollout struct {
	Waves       []string `toml:"waves"`
	MaxFailures int      `toml:"max-failures"`
	Pause       duration `toml:"pause"`
}

// rollout is what [rollout] says.
func (f fileRollout) rollout(r *reader) Rollout {
	out := Rollout{Waves: f.Waves, Pause: r.above0(f.Pause, "rollout", "pause"), at: r.position("rollout.waves", "rollout", "waves")}
	if r.keys.line("rollout", "max-failures") > 0 {
		out.MaxFailures = &f.MaxFailures
		if f.MaxFailures < 0 {
			r.bad(fmt.Sprintf("rollout.max-failures is %d", f.MaxFailures), "use 0 or more, or leave it out for no limit", "rollout", "max-failures")
		}
	}
	if out.Pause > 0 && len(out.Waves) == 0 {
		r.bad("rollout.pause is between waves, and there are none", "add waves, or leave it out", "rollout", "pause")
	}
	for i, w := range f.Waves {
		if len(terms(w)) == 0 {
			r.bad(fmt.Sprintf("rollout.waves, the %s: %q names no host", ordinal(i+1), w), `write it as "p510" or "@server"`, "rollout", "waves")
		}
	}
	return out
}
