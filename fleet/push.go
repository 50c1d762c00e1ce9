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
		j.warn(StepPush, why.Error())
		return nil
	}
	go func() {
		defer close(p.done)
		p.err = j.push(ctx, toplevel)
	}()
	return p
}

var errPushSlow = errors.New("it took too long (push-timeout)")

// push signs a closure, and copies of it what the cache lacks. Unless it has to get
// there, that it does not is a word, and no error.
func (j *job) push(ctx context.Context, toplevel nixcmd.StorePath) error {
	c := j.fleet.Inventory.Cache
	return j.step(ctx, StepPush, j.fleet.stages.pushes, func(ctx context.Context) (string, error) {
		within, cancel := context.WithTimeoutCause(ctx, or(c.PushTimeout, pushTimeout), errPushSlow)
		defer cancel()
		var last nixcmd.CopyEvent
		pushed := 0
		err := j.pushTo(within, c, toplevel, func(e nixcmd.CopyEvent) {
			if last = e; e.Path != "" {
				pushed++
			}
		})
		switch {
		case err == nil && pushed == 0:
			j.nothing(StepPush)
			return "the cache has it all", nil
		case err == nil:
			return counted(pushed, "path") + " to " + withoutPassword(c.Push), nil
		case within.Err() != nil:
			err = context.Cause(within)
		}
		// Its own text names the store as Nix has it.
		if failed := (*nixcmd.CopyError)(nil); errors.As(err, &failed) {
			err = errors.New(strings.ReplaceAll(failed.Message, "\n", "; "))
		}
		// The path that was under way is not there.
		err = fmt.Errorf("pushing to the fleet's cache %s failed, with %d of %d paths there: %w", withoutPassword(c.Push), max(0, pushed-1), last.Expected, err)
		if c.RequirePush {
			return "", err
		}
		j.nothing(StepPush)
		j.warn(StepPush, err.Error())
		return "not pushed", nil
	})
}

func (j *job) pushTo(ctx context.Context, c Cache, toplevel nixcmd.StorePath, each func(nixcmd.CopyEvent)) error {
	paths := []nixcmd.StorePath{toplevel}
	opt := nixcmd.CopyOptions{To: c.Push, NoCheckSigs: true, Anew: true, ConnectTimeout: cacheConnect, StallTimeout: cacheStall, Progress: each}
	u, err := url.Parse(c.Push)
	if err != nil {
		return err
	}
	if u.Scheme != "ssh-ng" {
		if err := answersPush(ctx, *u, toplevel); err != nil {
			return err
		}
		opt.To = binaryCacheURL(*u, c.SecretKey)
		return j.fleet.nix.Copy(ctx, paths, opt)
	}
	if c.SecretKey != "" {
		if err := j.fleet.nix.Sign(ctx, paths, c.SecretKey); err != nil {
			return err
		}
	}
	// What Nix itself starts must not ask for anything, nor wait for ever.
	opt.SSHOpts = "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5"
	if h, err := j.fleet.named(u.Host); err == nil && u.User == nil && u.RawQuery == "" {
		conn, err := j.fleet.dialer.Connect(ctx, h)
		if err != nil {
			return err
		}
		opt.To, opt.SSHOpts = nixcmd.CopyURL(h.User, h.Address), conn.NixSSHOpts()
	}
	return j.fleet.nix.Copy(ctx, paths, opt)
}

// answersPush finds out whether a web server, or that of a bucket, answers, before Nix waits
// for it. It need not be a binary cache yet: the first push makes it one.
func answersPush(ctx context.Context, u url.URL, toplevel nixcmd.StorePath) error {
	if u.Scheme == "file" {
		return nil
	}
	if u.Scheme == "s3" {
		return pingCache(ctx, u.String())
	}
	cache, err := nixcmd.OpenBinaryCache(u.String())
	if err != nil {
		return err
	}
	defer cache.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, probePatience, errCacheSlow)
	defer cancel()
	if _, _, err = cache.Lookup(ctx, toplevel); err != nil {
		return causeOf(ctx, err)
	}
	return nil
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
		return &hintedError{fmt.Errorf("cache.secret-key: %w", err), "make one with `nix key generate-secret --key-name NAME`, or correct the path in " + FileName}
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
