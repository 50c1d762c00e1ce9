package fleet

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// push is a system on its way to the fleet's cache; nil is one that does not go there.
type push struct {
	done chan struct{}
	err  error
}

// wait returns once it is there, or not, with the error if it had to be.
func (p *push) wait() error {
	if p == nil {
		return nil
	}
	<-p.done
	return p.err
}

// startPush begins to bring a system that is in this machine's store to the fleet's cache,
// if it is to get there. Whoever starts it waits for it.
func (j *job) startPush(ctx context.Context, toplevel nixcmd.StorePath) *push {
	c := j.fleet.Inventory.Cache
	if c.Push == "" {
		return nil
	}
	p := &push{done: make(chan struct{})}
	why := c.checkSecretKey()
	if on := j.builtOn(); on != "" {
		why = fmt.Errorf("it was built on %s, not here", on)
	}
	if why != nil {
		why = fmt.Errorf("not pushed to the fleet's cache %s: %w", withoutPassword(c.Push), why)
		if close(p.done); c.RequirePush {
			p.err = j.stepError(StepPush, why)
			return p
		}
		j.notPushed(why)
		return nil
	}
	go func() {
		defer close(p.done)
		p.err = j.push(ctx, toplevel)
	}()
	return p
}

var errPushSlow = errors.New("it took too long (push-timeout)")

// push copies of a closure what the cache lacks, and signs it. Unless it has to get
// there, that it does not is a word, and no error.
func (j *job) push(ctx context.Context, toplevel nixcmd.StorePath) error {
	c := j.fleet.Inventory.Cache
	return j.step(ctx, StepPush, j.fleet.stages.pushes, func(ctx context.Context) (string, error) {
		where := "the fleet's cache " + withoutPassword(c.Push)
		var said string
		var err error
		if why := j.fleet.shut.closed(); why != "" {
			err = fmt.Errorf("not pushed to %s, which %s", where, why)
		} else if said, err = j.pushWithin(ctx, c, toplevel, where); err == nil {
			return said, nil
		}
		if c.RequirePush {
			return "", err
		}
		j.nothing(StepPush)
		j.notPushed(err)
		return "not pushed", nil
	})
}

// notPushed tells that the cache has not got the system, or not with a signature.
func (j *job) notPushed(why error) {
	j.set(func(r *Result) { r.NotPushed = why.Error() })
	j.warn(StepPush, why.Error())
}

// pushWithin pushes within the time for that, and says what it did.
func (j *job) pushWithin(ctx context.Context, c Cache, toplevel nixcmd.StorePath, where string) (string, error) {
	within, cancel := context.WithTimeoutCause(ctx, or(c.PushTimeout, pushTimeout), errPushSlow)
	defer cancel()
	var last nixcmd.CopyEvent
	pushed := 0
	signed, err := j.pushTo(within, c, toplevel, func(e nixcmd.CopyEvent) {
		if last = e; e.Path != "" {
			pushed++
		}
	})
	switch {
	case err == nil && pushed == 0 && signed == 0:
		j.nothing(StepPush)
		return "the cache has it all", nil
	case err == nil && pushed == 0:
		return "signed " + counted(signed, "path") + " that the cache had", nil
	case err == nil && signed == 0:
		return counted(pushed, "path") + " to " + withoutPassword(c.Push), nil
	case err == nil:
		return counted(pushed, "path") + " to " + withoutPassword(c.Push) + ", and signed " + strconv.Itoa(signed) + " that it had", nil
	}
	var unsigned *unsignedError
	isUnsigned := errors.As(err, &unsigned)
	if within.Err() != nil {
		err = context.Cause(within)
	}
	switch {
	case isUnsigned:
		return "", fmt.Errorf("what %s had before could not be signed: %w", where, err)
	case last.Expected == 0 && ctx.Err() == nil:
		j.fleet.shut.close("could not be pushed to for " + j.host.Name)
		return "", fmt.Errorf("pushing to %s failed: %w", where, err)
	}
	// How many are there Nix does not say: several are under way at a time.
	return "", fmt.Errorf("pushing to %s failed, with %d of %d paths begun: %w", where, pushed, last.Expected, err)
}

// pushCopy copies to the cache. Its errors do not name the store, which they would as Nix has it.
func (j *job) pushCopy(ctx context.Context, toplevel nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	err := j.fleet.nix.Copy(ctx, []nixcmd.StorePath{toplevel}, opt)
	if failed := (*nixcmd.CopyError)(nil); errors.As(err, &failed) {
		return errors.New(strings.ReplaceAll(failed.Message, "\n", "; "))
	}
	return err
}

// unsignedError is that all is in the cache, but not all of it is known to be signed.
type unsignedError struct{ err error }

func (e *unsignedError) Error() string { return e.err.Error() }
func (e *unsignedError) Unwrap() error { return e.err }

// pushTo copies what the store lacks, and returns how many paths it had, and has signed now.
// Nix copies no signature of a path that is there.
func (j *job) pushTo(ctx context.Context, c Cache, toplevel nixcmd.StorePath, each func(nixcmd.CopyEvent)) (signed int, err error) {
	paths := []nixcmd.StorePath{toplevel}
	opt := nixcmd.CopyOptions{To: c.Push, NoCheckSigs: true, Anew: true, ConnectTimeout: cacheConnect, StallTimeout: cacheStall, Progress: each}
	there := nixcmd.SignOptions{KeyFile: c.SecretKey, ConnectTimeout: cacheConnect, StallTimeout: cacheStall}
	u, err := url.Parse(c.Push)
	if err != nil {
		return 0, err
	}
	if u.Scheme != "ssh-ng" {
		err := answersPush(ctx, *u)
		if errors.Is(err, nixcmd.ErrNoCacheInfo) {
			// Nix makes one, unless it remembers one from before the cache was cleared.
			if opt.Memory, err = os.MkdirTemp("", "flotilla-push-"); err == nil {
				defer func() { _ = os.RemoveAll(opt.Memory) }()
				there.Memory = opt.Memory
			}
		}
		if err != nil {
			return 0, err
		}
		opt.To, there.Store = binaryCacheURL(*u, c.SecretKey), binaryCacheURL(*u, "")
		if err := j.pushCopy(ctx, toplevel, opt); err != nil || c.SecretKey == "" {
			return 0, err
		}
		return j.signThere(ctx, paths, there)
	}
	if c.SecretKey != "" {
		if _, err := j.fleet.nix.Sign(ctx, paths, nixcmd.SignOptions{KeyFile: c.SecretKey}); err != nil {
			return 0, err
		}
	}
	h, err := j.fleet.named(u.Host)
	if err != nil || u.RawQuery != "" || u.User != nil && u.User.Username() != h.User {
		// What Nix itself starts must not ask for anything, nor wait for ever.
		opt.SSHOpts = "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5"
		return 0, j.pushCopy(ctx, toplevel, opt)
	}
	conn, err := j.fleet.dialer.Connect(ctx, h)
	if err != nil {
		return 0, err
	}
	opt.To, opt.SSHOpts = nixcmd.CopyURL(h.User, h.Address), conn.NixSSHOpts()
	if err := j.pushCopy(ctx, toplevel, opt); err != nil {
		if ctx.Err() == nil && untrusted(ctx, conn) {
			err = fmt.Errorf("%w; the Nix of %s does not trust %s: add that to its nix.settings.trusted-users", err, h.Name, or(h.User, "the user there"))
		}
		return 0, err
	}
	if c.SecretKey == "" {
		return 0, nil
	}
	// One session, where Nix would ask for each path, a round trip each.
	closure, err := remoteClosure(ctx, conn, toplevel)
	if err != nil {
		return 0, &unsignedError{err}
	}
	key, _, _ := strings.Cut(c.PublicKey, ":")
	if !slices.ContainsFunc(closure, func(info nixcmd.PathInfo) bool { return !slices.Contains(info.Signers, key) }) {
		return 0, nil
	}
	there.Store, there.SSHOpts = opt.To, opt.SSHOpts
	return j.signThere(ctx, paths, there)
}

// signThere signs what the store that was pushed to had before, and nobody has signed with
// the key: hosts would never take it.
func (j *job) signThere(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.SignOptions) (int, error) {
	signed, err := j.fleet.nix.Sign(ctx, paths, opt)
	if err != nil {
		return signed, &unsignedError{err}
	}
	return signed, nil
}

// answersPush finds out whether a web server, or that of a bucket, answers, before Nix waits
// for it. It may be no binary cache yet, which is nixcmd.ErrNoCacheInfo.
func answersPush(ctx context.Context, u url.URL) error {
	if u.Scheme == "file" {
		return nil
	}
	return pingCache(ctx, u.String())
}

// binaryCacheURL is the URL of a cache of files that signs what it is given. Unless the
// URL says otherwise it compresses with zstd: Nix's own choice, xz, keeps a core busy for
// longer than most networks take.
func binaryCacheURL(u url.URL, secretKey string) string {
	query := u.Query()
	if secretKey != "" {
		query.Set("secret-key", secretKey)
	}
	if !query.Has("compression") {
		query.Set("compression", "zstd")
	}
	// Nix does not take "+" for a blank.
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String()
}

// checkPush says what keeps a run from being begun: a key that is one of the wrong kind,
// or in the wrong hands. One that is not on this machine only keeps it from pushing.
func (c Cache) checkPush() error {
	err := c.checkSecretKey()
	if errors.Is(err, fs.ErrNotExist) && !c.RequirePush {
		return nil
	}
	return err
}

// checkSecretKey says what is wrong with the file of the secret key, nil if nothing is or
// there is none. No error has anything of the key.
func (c Cache) checkSecretKey() error {
	if c.SecretKey == "" {
		return nil
	}
	bad := func(problem, hint string) error {
		return &hintedError{fmt.Errorf("cache.secret-key: %s: %s", c.SecretKey, problem), hint}
	}
	info, err := os.Stat(c.SecretKey)
	switch {
	case err != nil:
		var failed *fs.PathError // which says also what was asked of the system
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return &hintedError{fmt.Errorf("cache.secret-key: %s: %w", c.SecretKey, err), "make one with `nix key generate-secret --key-name NAME`, or correct the path in " + FileName}
	case !info.Mode().IsRegular():
		return bad("is not a file", "name the file that `nix key generate-secret` was written to")
	case info.Mode().Perm()&0o077 != 0:
		return bad(fmt.Sprintf("others can read it (mode %04o)", info.Mode().Perm()), "chmod 600 it; if they may have read it, make a new key")
	}
	text, err := os.ReadFile(c.SecretKey)
	if err != nil {
		return fmt.Errorf("cache.secret-key: %w", err)
	}
	name, encoded, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != ed25519.PrivateKeySize || name == "" {
		return bad("is not a secret key", "it is what `nix key generate-secret --key-name NAME` prints")
	}
	// Both halves are in it (RFC 8032, as libsodium keeps them).
	if public := name + ":" + base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:]); public != c.PublicKey {
		return bad("is not the secret half of cache.public-key", "hosts would take nothing that it has signed; its public half is "+public)
	}
	return nil
}
