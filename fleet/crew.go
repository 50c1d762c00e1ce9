package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/builder.sh
var builderScript string

// mostJobs is how many derivations a builder is given at once if fleet.toml does not say:
// each takes a session of one connection, of which sshd(8) allows ten.
const mostJobs = 8

// crew is Inventory.Builders at work. The zero value is ready.
type crew struct {
	turn sync.Mutex // held while they are asked
	// asked says that they were; builders are those that answered, and err is why none can
	// be used.
	asked    bool
	builders []*builder
	err      error
	// pooled says that Nix reaches them over Flotilla's connections, as sshOpts say.
	pooled bool
	turns  *semaphore.Weighted

	mu   sync.Mutex
	lost map[string]bool
}

// builder is one that answered.
type builder struct {
	Builder
	conn Remote
}

// multiplexer is a Dialer that lets one Nix use several of its connections.
type multiplexer interface {
	// NixSSHOptsFor is the value of NIX_SSHOPTS for it. The names stand for the hosts.
	NixSSHOptsFor(map[string]Remote) (string, error)
}

func (d poolDialer) NixSSHOptsFor(named map[string]Remote) (string, error) {
	conns := make(map[string]*sshpool.Conn, len(named))
	for name, r := range named {
		c, ok := r.(*sshpool.Conn)
		if !ok {
			return "", fmt.Errorf("the connection to %s is not of this pool", name)
		}
		conns[name] = c
	}
	return d.pool.NixSSHOptsFor(conns)
}

// muster asks the builders, once for as long as the fleet is open, what they can do. Those
// that do not answer are left out, with a warning.
func (j *job) muster(ctx context.Context) (*crew, error) {
	c := &j.fleet.crew
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.asked {
		return c, c.err
	}
	store, err := j.fleet.nix.StoreInfo(ctx)
	if err != nil {
		return nil, err
	}
	_, several := j.fleet.dialer.(multiplexer)
	c.pooled = several && store.URL == "local"
	if !c.pooled && store.Untrusted {
		c.asked, c.err = true, &hintedError{errors.New("[builders] cannot be used: the Nix daemon here does not trust this user, and ignores them"),
			`add the user to trusted-users in this machine's nix.conf, or name the builders there and use build-host = "here"`}
		return c, c.err
	}
	all := j.fleet.Inventory.Builders
	found, why := make([]*builder, len(all)), make([]error, len(all))
	var wg sync.WaitGroup
	for i, b := range all {
		wg.Go(func() { found[i], why[i] = j.ask(ctx, b) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slots := 0
	for i, b := range found {
		if why[i] != nil {
			j.warn(StepBuild, fmt.Sprintf("builder %s is left out: %s", all[i].Host.Name, oneLine(why[i])))
			continue
		}
		c.builders = append(c.builders, b)
		slots += b.MaxJobs
	}
	c.asked, c.turns = true, semaphore.NewWeighted(int64(min(mostBuilds, slots+or(j.fleet.Inventory.Limits.Builds, runtime.NumCPU()))))
	return c, nil
}

// ask asks one builder what its Nix says of it, and fills in what fleet.toml does not say.
func (j *job) ask(ctx context.Context, b Builder) (*builder, error) {
	var a answer
	conn, err := j.connectTo(ctx, b.Host, func(ctx context.Context, r Remote) error {
		res, err := r.Run(ctx, sshpool.Cmd{Script: builderScript})
		if err == nil {
			a, err = parseAnswer(string(res.Stdout))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := b.complete(a); err != nil {
		return nil, err
	}
	return &builder{b, conn}, nil
}

// complete takes from a builder's own answer what fleet.toml does not say. It is an error if
// what it says cannot be.
func (b *Builder) complete(a answer) error {
	features := strings.Fields(a.values["system-features"])
	systems := strings.Fields(a.values["system"] + " " + a.values["extra-platforms"])
	switch {
	case a.values["flotilla-builder"] != "1":
		return errors.New("its answer is none: does its login shell print or run something else?")
	case a.values["nix-daemon"] == "":
		return noNixDaemon()
	case saysUntrusted([]byte(a.values["store"])):
		return fmt.Errorf("its Nix does not trust %s, and takes nothing to build from: add %[1]q to nix.settings.trusted-users there", or(a.values["user"], "the remote user"))
	case len(systems) == 0:
		return errors.New("its Nix does not say what it builds")
	}
	for _, s := range b.Systems {
		if !slices.Contains(systems, s) {
			return fmt.Errorf("fleet.toml says that it builds for %s, and its Nix says for %s (system, extra-platforms)", s, strings.Join(systems, ", "))
		}
	}
	for _, f := range slices.Concat(b.SupportedFeatures, b.MandatoryFeatures) {
		if !slices.Contains(features, f) {
			return fmt.Errorf("fleet.toml says that it has the feature %s, and its Nix has %s (system-features)", f, or(strings.Join(features, ", "), "none"))
		}
	}
	if b.Systems == nil {
		b.Systems = systems
	}
	if b.SupportedFeatures == nil {
		b.SupportedFeatures = features
	}
	jobs, err := strconv.Atoi(a.values["max-jobs"])
	if err == nil && jobs == 0 {
		return errors.New("its Nix builds nothing (max-jobs = 0)")
	}
	if b.MaxJobs == 0 {
		b.MaxJobs = min(max(jobs, 1), mostJobs)
	}
	return nil
}

// shift is the builders as one build of one job uses them.
type shift struct {
	crew     *crew
	builders []*builder
	options  []nixcmd.Builder
	sshOpts  string
}

// shift picks the builders that were not lost.
func (c *crew) shift(f *Fleet) (shift, error) {
	s := shift{crew: c, options: []nixcmd.Builder{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	named := map[string]Remote{}
	for _, b := range c.builders {
		if c.lost[b.Host.Name] {
			continue
		}
		s.builders = append(s.builders, b)
		named[b.Host.Name] = b.conn
		o := nixcmd.Builder{URL: nixcmd.CopyURL("", b.Host.Name), Systems: b.Systems, MaxJobs: b.MaxJobs, SpeedFactor: b.SpeedFactor,
			SupportedFeatures: b.SupportedFeatures, MandatoryFeatures: b.MandatoryFeatures}
		if !c.pooled {
			o.URL, o.SSHKey, o.PublicHostKey = nixcmd.CopyURL(b.Host.User, b.Host.Address), b.SSHKey, b.PublicHostKey
		}
		s.options = append(s.options, o)
	}
	if !c.pooled || len(named) == 0 {
		return s, nil
	}
	var err error
	s.sshOpts, err = f.dialer.(multiplexer).NixSSHOptsFor(named)
	return s, err
}

// name is whom Nix means by a machine; "" is this one.
func (s shift) name(machine string) string {
	if machine == "" {
		return ""
	}
	base, _, _ := strings.Cut(machine, "?")
	for i, o := range s.options {
		if url, _, _ := strings.Cut(o.URL, "?"); url == base {
			return s.builders[i].Host.Name
		}
	}
	return machine
}

// lost finds out which of the builders were lost while they built; those are not used again.
func (s shift) lost(ctx context.Context) []string {
	var names []string
	for _, b := range s.builders {
		if b.gone(ctx) {
			names = append(names, b.Host.Name)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	s.crew.leaveOut(names)
	return names
}

// leaveOut has builders not used again.
func (c *crew) leaveOut(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		c.lost = map[string]bool{}
	}
	for _, n := range names {
		c.lost[n] = true
	}
}

// brokeOff are the builders whose Nix ended in the middle of what they built, while their
// connections lived; none if the build failed for any other reason, too.
func (s shift) brokeOff(err error) []string {
	var build *nixcmd.BuildError
	if !errors.As(err, &build) {
		return nil
	}
	var names []string
	for _, f := range build.Failed {
		name := s.name(f.Machine)
		if !f.BrokenOff || !slices.ContainsFunc(s.builders, func(b *builder) bool { return b.Host.Name == name }) {
			return nil
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// gonePatience is how long a builder may take to show that it is still there.
const gonePatience = 5 * time.Second

// gone reports whether the builder's connection was lost since it was asked. What Nix does
// rides on that connection, or breaks for the same reason. A connection that cannot tell is
// tried.
func (b *builder) gone(ctx context.Context) bool {
	if c, ok := b.conn.(interface{ Gone(context.Context) bool }); ok {
		return c.Gone(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, gonePatience)
	defer cancel()
	_, err := b.conn.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
	return dropped(err) || err != nil && ctx.Err() != nil
}
