package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// Prebuilt is a system that was built elsewhere, as by continuous integration.
type Prebuilt struct {
	// Toplevel is the system.
	Toplevel nixcmd.StorePath
	// BuiltOn is the host of the fleet whose store has it; empty if that is not known.
	BuiltOn string
}

var errNotPrebuilt = errors.New("no system is given for it")

// prebuilt is what was given for the job's host.
func (j *job) prebuilt(opt DeployOptions) (Prebuilt, error) {
	p, ok := opt.Prebuilt[j.host.Name]
	if !ok {
		return Prebuilt{}, errNotPrebuilt
	}
	if _, err := nixcmd.ParseStorePath(string(p.Toplevel)); err != nil {
		return Prebuilt{}, err
	}
	return p, nil
}

// obtain finds a prebuilt system, in this order: in the store of the host that built it,
// if that is known; in this machine's; in the fleet's cache or another that Nix here
// fetches from; in the host's store, or where the host fetches from. It then makes sure
// that it is a system, and the host's.
func (j *job) obtain(ctx context.Context, s surveyed, opt DeployOptions) error {
	p, err := j.prebuilt(opt)
	if err != nil {
		return j.stepError(StepBuild, err)
	}
	return j.step(ctx, StepBuild, j.fleet.stages.builds, func(ctx context.Context) (string, error) {
		text, look, err := j.find(ctx, s, p, opt)
		if err != nil {
			return "", err
		}
		if err := look.isSystem(p.Toplevel); err != nil {
			return "", err
		}
		if !opt.OtherHost {
			if err := j.isOurs(s, p.Toplevel, look.hostName); err != nil {
				return "", err
			}
		}
		return text, nil
	})
}

// find brings a prebuilt system to where it can be worked with, and looks at it there.
func (j *job) find(ctx context.Context, s surveyed, p Prebuilt, opt DeployOptions) (text string, look systemLook, err error) {
	if p.BuiltOn != "" {
		j.set(func(r *Result) { r.BuiltOn = p.BuiltOn })
		conn, err := j.whereBuilt(ctx)
		if err != nil {
			return "", look, err
		}
		look, err = lookThere(ctx, conn, lookArgs(p.Toplevel, nixcmd.Cache{}, false))
		return "prebuilt on " + p.BuiltOn, look, err
	}
	link, err := j.fleet.newRoot(j.host, p.Toplevel)
	if err != nil {
		return "", look, err
	}
	missing, err := j.fleet.nix.Missing(ctx, []nixcmd.StorePath{p.Toplevel})
	if (err != nil || len(missing) > 0) && !opt.FromCache && j.fleet.Inventory.Cache.URL != "" {
		j.useCache(ctx)
	}
	var fetched nixcmd.BuildTotals
	here := j.fleet.nix.Realise(ctx, []nixcmd.StorePath{p.Toplevel}, nixcmd.BuildOptions{
		OutLink: link, Cache: j.cache, Fallback: true,
		Progress: func(e nixcmd.BuildEvent) {
			if fetched = e.Totals; e.Kind == nixcmd.FetchStarted {
				j.progress(StepBuild, "fetching "+e.Path.Name(), e.Totals.FetchesDone, e.Totals.FetchesExpected)
			}
		},
	})
	if here == nil {
		if n := fetched.FetchesDone; n > 0 {
			j.set(func(r *Result) { r.Build.Paths, r.Build.Bytes = n, fetched.BytesDone })
			return "prebuilt, " + counted(n, "path") + " downloaded", lookHere(p.Toplevel), nil
		}
		return "prebuilt", lookHere(p.Toplevel), nil
	}
	if ctx.Err() != nil {
		return "", look, here
	}
	look, err = lookThere(ctx, s.conn, lookArgs(p.Toplevel, j.cache, true))
	if err != nil {
		return "", look, err
	}
	if !look.there {
		return "", look, &hintedError{fmt.Errorf("%s is neither in this machine's store nor in the host's, nor can either fetch it: %w", p.Toplevel, here),
			"copy it here (nix copy --from), or push it to a cache that one of the two fetches from"}
	}
	j.set(func(r *Result) { r.BuiltOn = j.host.Name })
	return "prebuilt, and fetched by the host", look, nil
}

// systemLook is what a store path looks like.
type systemLook struct {
	// there says that it is in the store at all.
	there bool
	// lacks are the files that it lacks to be a system; nil for none.
	lacks []string
	// hostName is that which it is made for, "" if it does not say.
	hostName string
}

// systemFiles are what a NixOS system has (nixpkgs,
// nixos/modules/system/activation/top-level.nix and switchable-system.nix).
func systemFiles() []string { return []string{"nixos-version", "bin/switch-to-configuration"} }

func (l systemLook) isSystem(p nixcmd.StorePath) error {
	switch {
	case !l.there:
		return fmt.Errorf("%s is not in the store", p)
	case len(l.lacks) > 0:
		return &hintedError{fmt.Errorf("%s is not a NixOS system that can be switched to: it has no %s", p, strings.Join(l.lacks, " and no ")),
			"a system is what config.system.build.toplevel builds, such as /nix/store/…-nixos-system-HOST-VERSION"}
	}
	return nil
}

// lookHere looks at a path of this machine's store.
func lookHere(p nixcmd.StorePath) systemLook {
	l := systemLook{there: true}
	for _, file := range systemFiles() {
		if _, err := os.Stat(filepath.Join(string(p), file)); err != nil {
			l.lacks = append(l.lacks, file)
		}
	}
	text, err := os.ReadFile(filepath.Join(string(p), "etc/hostname"))
	if err == nil {
		l.hostName = strings.TrimSpace(string(text))
	}
	return l
}

// lookScript looks at a path of a host's store, having fetched it first if so asked:
//
//	TOPLEVEL fetch|- CACHE FILE...
//
// CACHE is a store URL to fetch from besides the host's own substituters, or "".
const lookScript = `PATH=/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:$PATH
export LC_ALL=C PATH
top=$1 fetch=$2 cache=$3
shift 3
if [ "$fetch" = fetch ] && ! nix-store --check-validity "$top" 2>/dev/null; then
  timeout -s INT -k 5 3600 nix-store --realise "$top" --max-jobs 0 ${cache:+--option extra-substituters "$cache"} \
    --option fallback true --option narinfo-cache-negative-ttl 0 \
    --option connect-timeout 5 --option download-attempts 1 --option stalled-download-timeout 15 >/dev/null
fi
if nix-store --check-validity "$top" 2>/dev/null; then
  echo there yes
  for file; do
    [ -e "$top/$file" ] || echo "lacks-$file yes"
  done
  read -r name 2>/dev/null <"$top/etc/hostname" && echo "host-name $name"
fi
echo end ok
`

func lookArgs(p nixcmd.StorePath, cache nixcmd.Cache, fetch bool) []string {
	how := "-"
	if fetch {
		how = "fetch"
	}
	cacheURL := cache.URL
	if strings.HasPrefix(cacheURL, "file:") { // a directory of this machine
		cacheURL = ""
	}
	return append([]string{string(p), how, cacheURL}, systemFiles()...)
}

func lookThere(ctx context.Context, conn Remote, argv []string) (systemLook, error) {
	res, err := conn.Run(ctx, sshpool.Cmd{Script: lookScript, Argv: argv})
	if err != nil {
		return systemLook{}, err
	}
	a, err := parseAnswer(string(res.Stdout))
	if err != nil {
		return systemLook{}, err
	}
	l := systemLook{there: a.values["there"] == "yes", hostName: a.values["host-name"]}
	for _, file := range systemFiles() {
		if a.values["lacks-"+file] != "" {
			l.lacks = append(l.lacks, file)
		}
	}
	return l, nil
}

// isOurs refuses a system that is made for another host, where that can be told: by the
// host name that it sets, or else by its name, if that is made of the name of another
// host of the fleet.
func (j *job) isOurs(s surveyed, p nixcmd.StorePath, hostName string) error {
	refused := func(of string) error {
		return &hintedError{fmt.Errorf("%s is a system of %s, not of %s", short(p), of, j.host.Name),
			"correct the path; if it is meant, ask for it (-otherHost)"}
	}
	ours := []string{j.host.Name, j.host.Attr, s.survey.HostName}
	if hostName != "" {
		if slices.Contains(ours, hostName) {
			return nil
		}
		return refused(hostName)
	}
	// nixos-system-NAME-VERSION; both may hold dashes.
	isOf := func(name string) bool { return name != "" && strings.HasPrefix(p.Name(), "nixos-system-"+name+"-") }
	if slices.ContainsFunc(ours, isOf) {
		return nil
	}
	for _, h := range j.fleet.Inventory.Hosts {
		if isOf(h.Name) || isOf(h.Attr) {
			return refused(h.Name)
		}
	}
	return nil
}
