package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// copy brings the toplevel's closure to the host, unless that built it.
func (j *job) copy(ctx context.Context, s surveyed) error {
	if j.builtOn() == j.host.Name {
		return nil
	}
	return j.step(ctx, StepCopy, j.fleet.stages.copies, func(ctx context.Context) (string, error) {
		way, err := j.route(ctx)
		if err != nil {
			return "", err
		}
		list := j.builtClosure
		if !way.straight() {
			if err := j.fetch(ctx, way, s.eval.Toplevel); err != nil {
				return "", err
			}
			list = j.fleet.nix.Closure
		}
		if err := j.room(ctx, &s, list); err != nil {
			return "", err
		}
		var p copyProgress
		j.comparison = j.compareBeside(ctx, s, p.know)
		use, err := j.fetchCached(ctx, &s, list)
		if err != nil {
			return "", err
		}
		if s.stores != nil { // what it lacks was asked a moment ago
			p.know(nil, s.stores.there())
			if len(s.stores.missing) == 0 {
				if use.FetchedPaths > 0 {
					return use.String(), nil
				}
				return j.copiedAll(&p, 0), nil
			}
		}
		fetched, err := j.sendBy(ctx, s, &way, &p)
		if err != nil {
			return "", err
		}
		return strings.TrimPrefix(use.String()+"; "+j.copiedAll(&p, fetched)+way.String(), "; "), nil
	})
}

// sendBy sends what the host lacks on its way, and through here if it cannot go straight.
// It returns how many paths the host has fetched from its substituters.
func (j *job) sendBy(ctx context.Context, s surveyed, way *route, p *copyProgress) (fetched int, err error) {
	if way.straight() {
		err := j.copyStraight(ctx, *way, s, p)
		if err == nil {
			j.set(func(r *Result) { r.CopiedFrom = way.on.Name })
			return 0, nil
		}
		if ctx.Err() != nil || !way.passable(err) {
			return 0, err
		}
		j.warn(StepCopy, oneLine(err)+"; copying it through here")
		way.detour = "copying it straight failed"
		if err := j.fetch(ctx, *way, s.eval.Toplevel); err != nil {
			return 0, err
		}
		p.restart(nil)
	}
	if fetched, err = j.deliver(ctx, s, p); err != nil {
		return fetched, j.explainCopy(ctx, s, err)
	}
	return fetched, nil
}

// copying tells how far a copy is.
func (j *job) copying(p *copyProgress, e nixcmd.CopyEvent) {
	if t, told := p.take(e, time.Now()); told {
		j.emit(t.event())
	}
}

// copiedAll keeps what was sent, and says it.
func (j *job) copiedAll(p *copyProgress, fetched int) string {
	if j.copied = p.work(); p.nothing(fetched) {
		j.nothing(StepCopy)
	}
	return p.end(fetched)
}

// lowSpace is how little free space makes a failed copy suspect the disk.
const lowSpace = 64 << 20

// explainCopy asks the host why a copy may have failed; the text of Nix's
// error is not for deciding anything.
func (j *job) explainCopy(ctx context.Context, s surveyed, err error) error {
	if ctx.Err() != nil {
		return err
	}
	now, surveyErr := survey(ctx, s.conn, BecomeNone)
	if surveyErr != nil {
		return err
	}
	if now.FreeBytes < 0 || now.FreeBytes > lowSpace {
		if now.Root != RootAlready && untrusted(ctx, s.conn) {
			return untrustedError(err, now.User)
		}
		return err
	}
	return &hintedError{err, fmt.Sprintf("the host's store has only %d MiB left: free space there (nix-collect-garbage), then deploy again; what it runs and boots is as before",
		now.FreeBytes>>20)}
}
