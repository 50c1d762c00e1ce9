package fleet

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// together is what a Nix must be besides for hosts to share evaluators: *nixcmd.Client is
// one.
type together interface {
	EvaluateTogether(ctx context.Context, what []nixcmd.Installable, opt nixcmd.TogetherOptions) error
	InEvaluationCache(ctx context.Context, what nixcmd.Installable) (bool, error)
}

// parties are those of a run.
type parties struct {
	// hosts are those of the run, if they are worked on at the same time.
	hosts []Host

	mu sync.Mutex
	// members are the hosts that share an evaluator, by name; gone are hosts that need
	// none any more.
	members map[string]*member
	gone    map[string]bool

	ask sync.Once
	// known says that Nix's evaluation cache knows a host.
	known bool
}

// of is a host's part in a party; nil if it has none.
func (p *parties) of(h Host) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members[h.Name]
}

// leave says that a host's work has come to its end, with or without an evaluation.
func (p *parties) leave(h Host) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone == nil {
		p.gone = map[string]bool{}
	}
	p.gone[h.Name] = true
	if m := p.members[h.Name]; m != nil {
		m.leave()
	}
}

// party are hosts that one evaluator evaluates one after the other. Nothing is known
// then of what each of them read, so it is for hosts of which nothing is known anyway:
// the first change to a flake has to be tried on every host in any case
// (docs/adr/0014-first-evaluations-share-evaluators.md).
type party struct {
	members []*member
	once    sync.Once
	giveUp  context.CancelFunc
	// wanting is how many members have use for their answer, guarded by mu.
	mu      sync.Mutex
	wanting int
}

// member is one host's part in that.
type member struct {
	of   *party
	host Host
	past learnt
	// begun is closed when its turn comes, ended when it has its answer, ev, or is not to
	// have one from this evaluator: then alone is set.
	begun, ended chan struct{}
	ev           nixcmd.Evaluation
	alone        bool
	left         sync.Once
}

// gather makes parties of the hosts of a run of which nothing is known, if they are
// more than can be evaluated at once. The tree has been looked at; if it cannot be told
// from others, nothing is ever known.
func (s *recollection) gather() {
	f := s.fleet
	if _, ok := f.nix.(together); !ok || f.fresh || f.verify {
		return
	}
	s.parties.mu.Lock()
	defer s.parties.mu.Unlock()
	var all []*member
	looked, otherNix := false, false
	for _, h := range s.parties.hosts {
		known := s.tree != nil && s.store.Has(h.Name)
		if known && (!looked || otherNix) { // what is known of one host with this Nix is of all
			looked, otherNix = true, !s.evaluatedBefore(h)
			known = !otherNix
		}
		if known || s.parties.gone[h.Name] {
			continue
		}
		past, _ := f.history.of(h.Name)
		all = append(all, &member{host: h, past: past, begun: make(chan struct{}), ended: make(chan struct{})})
	}
	s.parties.members = map[string]*member{}
	for _, members := range f.divide(all) {
		if len(members) < 2 {
			continue
		}
		p := &party{members: members, wanting: len(members), giveUp: func() {}}
		for _, m := range members {
			m.of = p
			s.parties.members[m.host.Name] = m
		}
	}
}

// evaluatedBefore reports whether something is known of a host, with this Nix.
func (s *recollection) evaluatedBefore(h Host) bool {
	for _, r := range s.store.Load(h.Name) {
		if r.Settings == s.key(h) {
			return true
		}
	}
	return false
}

// divide divides hosts among as many evaluators as may run at once, or among more if
// they would not have the memory: so that each has about the same to do, by what is
// known of their times, and the hosts in the order in which they are given.
func (f *Fleet) divide(all []*member) [][]*member {
	m := f.stages.memory
	if m.places <= 0 || len(all) <= m.places {
		return nil
	}
	m.mu.Lock()
	free, bounded := m.free()
	m.mu.Unlock()
	if !bounded { // nobody knows how many would be too many
		return nil
	}
	share := free / int64(m.places)
	n := m.places
	for n < len(all) && f.demandOfAll(all)/int64(n) > share {
		n++
	}
	at, known, sum := make(map[*member]int, len(all)), 0.0, 0.0
	for i, m := range all {
		at[m] = i
		if t := m.past.usual(StepEvaluate).Seconds(); t > 0 {
			known, sum = known+1, sum+t
		}
	}
	cost := func(m *member) float64 { // one that is not known is taken for the average
		return cmp.Or(m.past.usual(StepEvaluate).Seconds(), sum/max(known, 1), 1)
	}
	costly := slices.Clone(all)
	slices.SortStableFunc(costly, func(a, b *member) int { return cmp.Compare(cost(b), cost(a)) })
	groups, load := make([][]*member, n), make([]float64, n)
	for _, m := range costly {
		least := 0
		for i := range load {
			if load[i] < load[least] {
				least = i
			}
		}
		groups[least] = append(groups[least], m)
		load[least] += cost(m)
	}
	for i, g := range groups {
		slices.SortFunc(g, func(a, b *member) int { return at[a] - at[b] })
		if f.demandOfAll(g) > share { // some are larger than others
			groups[i] = nil
		}
	}
	return groups
}

// demandOfAll is the memory that hosts are expected to take in one evaluator: as much as
// by themselves, although they share some of it.
func (f *Fleet) demandOfAll(all []*member) (bytes int64) {
	for _, m := range all {
		bytes += f.demandOf(m.past).bytes(0)
	}
	return bytes
}

// start has a party evaluated, unless that has begun already.
func (s *recollection) start(p *party) {
	p.once.Do(func() {
		ctx, cancel := context.WithCancel(s.ctx)
		p.mu.Lock()
		p.giveUp = cancel
		if p.wanting == 0 {
			cancel()
		}
		p.mu.Unlock()
		s.background.Go(func() {
			defer cancel()
			p.evaluate(ctx, s)
			for _, m := range p.members {
				select {
				case <-m.ended:
				default:
					m.alone = true
					close(m.ended)
				}
			}
		})
	})
}

// evaluate gives members their answers, as far as it comes to them.
func (p *party) evaluate(ctx context.Context, s *recollection) {
	f := s.fleet
	nix := f.nix.(together)
	what := make([]nixcmd.Installable, len(p.members))
	for i, m := range p.members {
		var err error
		if what[i], err = installable(s.flake, m.host); err != nil {
			return
		}
	}
	// What Nix itself knows need not be evaluated at all; but as a rule it does not.
	ctx, stop := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer stop()
	asking.Go(func() {
		if s.inNixsCache(ctx, nix, what[0]) {
			stop()
		}
	})
	c, release, err := f.admit(ctx, demand{guess: f.demandOfAll(p.members)}, nil)
	if err != nil {
		return
	}
	defer release()
	if c.short > 0 { // each by itself may fit
		return
	}
	_ = nix.EvaluateTogether(ctx, what, nixcmd.TogetherOptions{ // an error is that of a member, who will tell
		Heap: c.heap(), Started: c.watch,
		Begun: func(i int) { close(p.members[i].begun) },
		Found: func(i int, ev nixcmd.Evaluation) {
			p.members[i].ev = ev
			close(p.members[i].ended)
		},
	})
}

// inNixsCache reports whether Nix's evaluation cache knows a host; where it does not know
// one it is taken not to know any.
func (s *recollection) inNixsCache(ctx context.Context, nix together, what nixcmd.Installable) bool {
	s.parties.ask.Do(func() { s.parties.known, _ = nix.InEvaluationCache(ctx, what) })
	return s.parties.known
}

// leave says that a host has no use for an answer any more.
func (m *member) leave() {
	m.left.Do(func() {
		m.of.mu.Lock()
		defer m.of.mu.Unlock()
		if m.of.wanting--; m.of.wanting == 0 {
			m.of.giveUp()
		}
	})
}

var errAlone = errors.New("it is evaluated by itself")

// evaluateTogether evaluates the host as a member of its party; errAlone says that it
// has to be evaluated by itself.
func (j *job) evaluateTogether(ctx context.Context, m *member) (ev nixcmd.Evaluation, err error) {
	defer m.leave()
	j.seen.start(m.of)
	wait := func(c chan struct{}) error {
		select {
		case <-c:
		case <-m.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return nil
	}
	if err := wait(m.begun); err != nil {
		return ev, j.stepError(StepEvaluate, err)
	}
	select {
	case <-m.begun:
	default:
		return ev, errAlone
	}
	err = j.step(ctx, StepEvaluate, nil, func(ctx context.Context) (string, error) {
		if j.why != "" {
			j.progress(StepEvaluate, j.why, 0, 0)
		}
		if err := wait(m.ended); err != nil {
			return "", err
		}
		if m.alone {
			return "", errAlone
		}
		ev = m.ev
		for _, w := range once(ev.Warnings) {
			j.warn(StepEvaluate, w)
		}
		return j.evaluated(ev), nil
	})
	return ev, err
}
