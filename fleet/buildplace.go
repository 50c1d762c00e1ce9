package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/keep.sh
var keepScript string

// place is where a host's system is built. The zero value is here.
type place struct {
	job *job
	// on is the host that builds; conn is the connection to it.
	on   Host
	conn Remote
	// link, store and sshOpts are for Nix.
	link, store, sshOpts string
	// crew are the builders that help this machine; nil if those of nix.conf do, if any.
	crew *crew
	done func()
}

// name is the build host's name; "" for here.
func (p place) name() string { return p.on.Name }

// where is what to add to a text; "" for here.
func (p place) where() string {
	if p.name() == "" {
		return ""
	}
	return " on " + p.name()
}

// builder is the host that builds the job's system; the zero value is none, and
// this machine does.
func (j *job) builder() (Host, error) {
	switch name := j.host.BuildHost; name {
	case "", BuildHere, BuildOnBuilders:
		return Host{}, nil
	case BuildOnTarget, j.host.Name:
		return j.host, nil
	default:
		return j.fleet.named(name)
	}
}

// named is the host of that name, also of a flake that names the hosts itself.
func (f *Fleet) named(name string) (Host, error) {
	h, ok := f.Inventory.Host(name)
	switch {
	case ok:
		return h, nil
	case len(f.Inventory.Hosts) == 0 && isWord(name, "-_."):
		return f.Inventory.defaults.host(name, fileHost{}), nil
	}
	return Host{}, &hintedError{fmt.Errorf("there is no host %q to build on", name), didYouMean(name, f.Inventory.buildHosts())}
}

// buildPlace gets the place ready that builds the job's system, which is toplevel; its
// done is to be called in the end.
func (j *job) buildPlace(ctx context.Context, toplevel nixcmd.StorePath) (place, error) {
	b, err := j.builder()
	if err != nil {
		return place{}, err
	}
	if b.Name == "" {
		link, err := j.fleet.newRoot(j.host, toplevel)
		p := place{job: j, link: link, done: func() {}}
		if err != nil || !j.hasCrew() {
			return p, err
		}
		if p.crew, err = j.muster(ctx); err != nil {
			return place{}, err
		}
		if p.crew.turns.Acquire(ctx, 1) != nil {
			return place{}, context.Cause(ctx)
		}
		p.done = func() { p.crew.turns.Release(1) }
		return p, nil
	}
	done, err := j.fleet.builders.acquire(ctx, b.Name)
	if err != nil {
		return place{}, err
	}
	p := place{job: j, on: b, done: done, store: nixcmd.CopyURL(b.User, b.Address)}
	if p.conn, err = j.connectBuilder(ctx, b); err != nil {
		done()
		return place{}, err
	}
	p.sshOpts = p.conn.NixSSHOpts()
	return p, nil
}

// connectBuilder opens the connection to a build host, and tries it out unless
// that was done before.
func (j *job) connectBuilder(ctx context.Context, b Host) (Remote, error) {
	switch {
	case b.Name == j.host.Name && j.conn != nil:
		return j.conn, nil
	case j.builderConn != nil: // a job has but one
		return j.builderConn, nil
	}
	daemon := ""
	conn, err := j.connectTo(ctx, b, func(ctx context.Context, r Remote) error {
		res, err := r.Run(ctx, sshpool.Cmd{Script: "command -v nix-daemon || :"})
		daemon = strings.TrimSpace(string(res.Stdout))
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("build host %s: %w", b.Name, crowded(conn, b.Name, err))
	case daemon == "":
		return nil, fmt.Errorf("build host %s: %w", b.Name, noNixDaemon())
	}
	j.builderConn = conn
	return conn, nil
}

// explain tells where a build failed, and why if Nix cannot know.
func (p place) explain(ctx context.Context, err error) error {
	if err == nil || p.name() == "" || ctx.Err() != nil {
		return err
	}
	var build *nixcmd.BuildError
	if errors.As(err, &build) && len(build.Failed) > 0 {
		return &elsewhereError{err, p.name(), build}
	}
	now, surveyErr := survey(ctx, p.conn, BecomeNone)
	var gone *sshpool.Error
	switch {
	case errors.As(surveyErr, &gone) && gone.Kind != sshpool.KindUnknown: // no more sessions, say
		return fmt.Errorf("build host %s: it was lost while it built: %w", p.name(), surveyErr)
	case surveyErr == nil && now.FreeBytes >= 0 && now.FreeBytes <= lowSpace:
		err = &hintedError{err, fmt.Sprintf("the store of %s has only %d MiB left: free space there (nix-collect-garbage), then try again", p.name(), now.FreeBytes>>20)}
	}
	return fmt.Errorf("build host %s: %w", p.name(), crowded(p.conn, p.name(), err))
}

// crowded says what to do about an error of a build host that opens one session at a time, and
// none for Nix while there is another. Nix's own words are of a daemon that may have crashed.
func crowded(r Remote, name string, err error) error {
	if c, ok := r.(interface{ Sessions() int }); !ok || c.Sessions() > 1 {
		return err
	}
	return &hintedError{err, fmt.Sprintf("%s opens one session at a time, and refuses Nix's while another is open: raise MaxSessions in its sshd_config(5) (10 is its default)", name)}
}

// elsewhereError is a failed build on another machine.
type elsewhereError struct {
	error
	on    string
	build *nixcmd.BuildError
}

func (e *elsewhereError) Unwrap() error { return e.error }

// Hint names the machine that has the log: Nix does not fetch it over ssh.
func (e *elsewhereError) Hint() string {
	return fmt.Sprintf("for the whole log, on %s: nix log %s", e.on, e.build.Failed[0].Derivation)
}

// keep keeps what was built on another host from the garbage collector there,
// which costs a session. A system that goes on to be activated where it was
// built is kept by that.
func (p place) keep(ctx context.Context, toplevel nixcmd.StorePath) error {
	if p.name() == "" || p.name() == p.job.host.Name && !p.job.keepBuilt {
		return nil
	}
	res, err := p.conn.Run(ctx, sshpool.Cmd{Script: keepScript, Argv: []string{p.job.fleet.Inventory.id(), p.job.host.Name, string(toplevel)}})
	if err == nil {
		_, err = parseAnswer(string(res.Stdout))
	}
	if err != nil {
		return fmt.Errorf("build host %s: the built system cannot be kept there: %w", p.name(), crowded(p.conn, p.name(), err))
	}
	return nil
}

// builtOn is the host that has the system, "" if this machine has.
func (j *job) builtOn() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.result.BuiltOn
}

// builtClosure lists the closure of the system that was built, from the store
// that has it.
func (j *job) builtClosure(ctx context.Context, toplevel nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	conn, err := j.whereBuilt(ctx)
	switch {
	case err != nil:
		return nil, err
	case conn == nil:
		return j.fleet.nix.Closure(ctx, toplevel)
	}
	return remoteClosure(ctx, conn, toplevel)
}

// whereBuilt connects to the host that the system was built on; nil is here.
func (j *job) whereBuilt(ctx context.Context) (Remote, error) {
	on := j.builtOn()
	if on == "" {
		return nil, nil
	}
	b := j.host
	if on != b.Name {
		var err error
		if b, err = j.fleet.named(on); err != nil {
			return nil, err
		}
	}
	return j.connectBuilder(ctx, b)
}

// builders bounds the builds on other machines. The zero value is ready.
type builders struct {
	mu  sync.Mutex
	all *semaphore.Weighted
	of  map[string]*semaphore.Weighted
}

const (
	// mostBuilds is how many Nix processes wait for builds elsewhere; each has
	// some 50 MiB of this machine's memory.
	mostBuilds = 64
	// mostPerBuilder leaves sshd(8), whose MaxSessions is 10, sessions for others
	// on that connection. Within each build the machine's own max-jobs holds.
	mostPerBuilder = 4
)

// acquire waits until the build host may take one more.
func (b *builders) acquire(ctx context.Context, name string) (release func(), err error) {
	b.mu.Lock()
	if b.of == nil {
		b.all, b.of = semaphore.NewWeighted(mostBuilds), map[string]*semaphore.Weighted{}
	}
	one := b.of[name]
	if one == nil {
		one = semaphore.NewWeighted(mostPerBuilder)
		b.of[name] = one
	}
	b.mu.Unlock()
	if one.Acquire(ctx, 1) != nil {
		return nil, context.Cause(ctx)
	}
	if b.all.Acquire(ctx, 1) != nil {
		one.Release(1)
		return nil, context.Cause(ctx)
	}
	return func() { b.all.Release(1); one.Release(1) }, nil
}

// hasCrew reports whether the fleet's own builders build the job's system.
func (j *job) hasCrew() bool {
	return j.host.BuildHost == BuildOnBuilders && len(j.fleet.Inventory.Builders) > 0
}

// buildLimit is what bounds the job's build here; nil if it is built elsewhere,
// where its build host's limit holds, or the builders'.
func (j *job) buildLimit() *semaphore.Weighted {
	if b, err := j.builder(); err == nil && b.Name == "" && !j.hasCrew() {
		return j.fleet.stages.builds
	}
	return nil
}
