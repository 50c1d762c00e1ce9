package fleet

import (
	"fmt"
	"slices"
)

// fileHealth is [health] as it is written.
type fileHealth struct {
	Deadline duration                   `toml:"deadline"`
	Checks   map[string]fileHealthCheck `toml:"checks"`
}

type fileHealthCheck struct {
	On        string   `toml:"on"`
	TCP       int      `toml:"tcp"`
	HTTP      string   `toml:"http"`
	Status    int      `toml:"status"`
	Body      string   `toml:"body"`
	Unit      string   `toml:"unit"`
	Units     []string `toml:"units"`
	Command   []string `toml:"command"`
	Here      []string `toml:"command-here"`
	Interval  duration `toml:"interval"`
	Timeout   duration `toml:"timeout"`
	Successes int      `toml:"successes"`
}

// health is what [health] says.
func (f fileHealth) health(r *reader) Health {
	h := Health{Deadline: r.above0(f.Deadline, "health", "deadline")}
	for _, name := range r.keys.children("health", "checks") {
		key := func(k string) []string { return []string{"health", "checks", name, k} }
		w := f.Checks[name]
		c := HealthCheck{
			Name: name, On: w.On, TCP: w.TCP, HTTP: w.HTTP, Status: w.Status, Body: w.Body, Units: w.Units, Command: w.Command, CommandHere: w.Here,
			Interval: r.above0(w.Interval, key("interval")...), Timeout: r.above0(w.Timeout, key("timeout")...), Successes: w.Successes,
			at: r.position(fmt.Sprintf("health.checks.%s.on", name), key("on")...),
		}
		if r.keys.line(key("unit")...) > 0 {
			if len(w.Units) > 0 {
				r.bad(fmt.Sprintf("health check %q: it checks several things", name), "give unit or units, not both", key("units")...)
			}
			c.Units = append([]string{w.Unit}, w.Units...)
		}
		// A value that is there must say something.
		for k, empty := range map[string]bool{"on": w.On == "", "tcp": w.TCP == 0, "http": w.HTTP == "", "status": w.Status == 0, "body": w.Body == "",
			"units": len(w.Units) == 0, "command": len(w.Command) == 0, "command-here": len(w.Here) == 0, "successes": w.Successes == 0} {
			if empty && r.keys.line(key(k)...) > 0 {
				r.bad(fmt.Sprintf("health check %q: %s is empty", name, k), "give it a value, or leave it out", key(k)...)
			}
		}
		for _, p := range c.problems(h.deadline()) {
			r.bad(fmt.Sprintf("health check %q: %s", name, p.text), p.help, r.keys.nearest(key(p.key)...)...)
		}
		h.Checks = append(h.Checks, c)
	}
	return h
}

// selectors are all selectors of the inventory, each with its position.
func (inv *Inventory) selectors() []placed {
	var all []placed
	for _, c := range inv.Health.Checks {
		all = append(all, placed{c.at, c.On})
	}
	for i, w := range inv.Rollout.Waves {
		at := inv.Rollout.at
		at.key = fmt.Sprintf("rollout.waves, the %s", ordinal(i+1))
		all = append(all, placed{at, w})
	}
	return slices.DeleteFunc(all, func(p placed) bool { return p.at.file == "" })
}

// checkSelectors says which selectors of fleet.toml name no host. The hosts must
// be known.
func (inv *Inventory) checkSelectors() []error {
	var errs []error
	for _, p := range inv.selectors() {
		if _, err := inv.Select(p.selector); err != nil {
			errs = append(errs, &ConfigError{File: p.at.file, Line: p.at.line, Problem: fmt.Sprintf("%s: %v", p.at.key, err), Err: err})
		}
	}
	return errs
}

// position is where in fleet.toml something stands; the zero value is nowhere.
type position struct {
	file string
	line int
	key  string
}

type placed struct {
	at       position
	selector string
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprint(n) + suffix
}
