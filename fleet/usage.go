package fleet

import "github.com/nixflotilla/flotilla/nixcmd"

// Usage is what a step's own processes cost, from the kernel's accounting of
// them and of the children they waited for; the zero value if a step ran none, or
// none whose cost is known. It is known of evaluations and builds. What a Nix
// daemon did for a build is not in it; what Nix built itself, as root on a store
// without a daemon, is.
type Usage = nixcmd.Usage

// used notes what a step under way cost.
func (j *job) used(s Step, u Usage) {
	j.set(func(*Result) {
		if j.usage == nil {
			j.usage = map[Step]Usage{}
		}
		j.usage[s] = u
	})
}

// usageOf is what the last run of a step cost.
func (j *job) usageOf(s Step) (u Usage) {
	j.set(func(*Result) { u = j.usage[s] })
	return u
}
