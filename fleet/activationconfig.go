package fleet

import (
	"fmt"
	"time"
)

// fileActivation is [activation] as it is written.
type fileActivation struct {
	Timeout    duration `toml:"timeout"`
	Confirm    duration `toml:"confirm"`
	OnDegraded string   `toml:"on-degraded"`
}

// longestGuard is how long a host may be left to itself.
const longestGuard = 24 * time.Hour

// activation is what [activation] says.
func (f fileActivation) activation(r *reader) Activation {
	a := Activation{Timeout: r.above0(f.Timeout, "activation", "timeout"), Confirm: r.above0(f.Confirm, "activation", "confirm")}
	for key, d := range map[string]time.Duration{"timeout": a.Timeout, "confirm": a.Confirm} {
		switch {
		case d > longestGuard:
			r.bad(fmt.Sprintf("activation.%s is %s", key, d), "use 24h at most", "activation", key)
		case d > 0 && d < time.Second:
			r.bad(fmt.Sprintf("activation.%s is %s", key, d), "use 1s at least", "activation", key)
		}
	}
	if r.keys.line("activation", "on-degraded") > 0 {
		switch f.OnDegraded {
		case "rollback":
		case "keep":
			a.KeepDegraded = true
		default:
			r.bad(fmt.Sprintf("activation.on-degraded is %q", f.OnDegraded), `use "rollback" or "keep"`, "activation", "on-degraded")
		}
	}
	return a
}
