package fleet

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/semaphore"
)

// passwords are those of a run. The zero value has none.
type passwords struct {
	get func(context.Context, Host) (Password, error)

	mu     sync.Mutex
	given  map[string]*given
	trials map[Password]*trial
}

// given is what get said of a host.
type given struct {
	once     sync.Once
	password Password
	err      error
}

// trial is the one attempt at finding out whether a password is right.
type trial struct {
	turn *semaphore.Weighted
	// Of whoever has the turn.
	on  string
	ok  bool
	bad *refusedError
}

// of is the password for a host, asked for once; the zero value if there is none.
func (p *passwords) of(ctx context.Context, h Host) (Password, error) {
	if p.get == nil {
		return Password{}, nil
	}
	p.mu.Lock()
	if p.given == nil {
		p.given = map[string]*given{}
	}
	g := p.given[h.Name]
	if g == nil {
		g = &given{}
		p.given[h.Name] = g
	}
	p.mu.Unlock()
	g.once.Do(func() { g.password, g.err = p.get(ctx, h) })
	return g.password, g.err
}

func (p *passwords) trialOf(password Password) *trial {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trials == nil {
		p.trials = map[Password]*trial{}
	}
	t := p.trials[password]
	if t == nil {
		t = &trial{turn: semaphore.NewWeighted(1)}
		p.trials[password] = t
	}
	return t
}

// try tries a password on a host, unless it was on another. Those who come meanwhile
// wait for the answer.
func (p *passwords) try(ctx context.Context, h Host, password Password, attempt func() error) error {
	t := p.trialOf(password)
	if err := t.turn.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer t.turn.Release(1)
	switch {
	case t.ok:
		return nil
	case t.bad != nil && t.on == h.Name:
		return t.bad
	case t.bad != nil:
		return &refusedError{t.bad.exit, t.on}
	}
	err := attempt()
	t.on, t.ok = h.Name, err == nil
	errors.As(err, &t.bad)
	return err
}
