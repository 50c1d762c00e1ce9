package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// comparingNix has systems in its store.
type comparingNix struct {
	fakeNix
	store map[nixcmd.StorePath][]nixcmd.PathInfo
	// stuck never answers what the old system is made of.
	stuck bool

	mu    sync.Mutex
	asked []nixcmd.StorePath
}

func (n *comparingNix) BackgroundClosure(ctx context.Context, p nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	n.mu.Lock()
	n.asked = append(n.asked, p)
	n.mu.Unlock()
	if n.stuck && p == oldSystem {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if n.store[p] == nil {
		return nil, errors.New("path is not valid")
	}
	return n.store[p], nil
}

func tool(version string, size int64) nixcmd.PathInfo {
	return nixcmd.PathInfo{Path: nixcmd.StorePath("/nix/store/55555555555555555555555555555555-tool-" + version), NarSize: size}
}

// A deployment tells what it has changed: packages by this machine's store, units by
// the activation's own words. It waits for that a second at most, and never fails of it.
func TestDeploymentsTellWhatChanged(t *testing.T) {
	old := []nixcmd.PathInfo{{Path: oldSystem, NarSize: 1}, tool("1.0", 10)}
	wanted := []nixcmd.PathInfo{{Path: newSystem, NarSize: 1}, tool("2.0", 30)}
	for _, c := range []struct {
		name    string
		nix     *comparingNix
		unknown string
		waits   time.Duration
	}{
		{"both are here", &comparingNix{store: map[nixcmd.StorePath][]nixcmd.PathInfo{oldSystem: old, newSystem: wanted}}, "", 0},
		{"the old one is not", &comparingNix{store: map[nixcmd.StorePath][]nixcmd.PathInfo{newSystem: wanted}}, "does not have the system that ran before", 0},
		{"neither is", &comparingNix{}, "did not tell", 0},
		{"Nix is stuck", &comparingNix{store: map[nixcmd.StorePath][]nixcmd.PathInfo{newSystem: wanted}, stuck: true}, "did not tell in time", patienceAtEnd},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := hospital(t, always(true))
				f.nix = c.nix
				h.prints = []string{
					"stopping the following units: a.service", "NOT restarting the following changed units: k.service", "activating the configuration...",
					"restarting the following units: b.service, c.service", "starting the following units: a.service",
				}
				began := time.Now()
				r := deployOne(t, f, DeployOptions{SkipHealth: true})
				d := r.Difference
				if r.Outcome != Switched || d == nil || !strings.Contains(d.PackagesUnknown, c.unknown) || (d.PackagesUnknown == "") != (c.unknown == "") || time.Since(began) != c.waits {
					t.Fatalf("%+v, %+v after %s", r, d, time.Since(began))
				}
				if c.unknown == "" && (len(d.Packages.Changed) != 1 || d.Packages.Changed[0].NewVersions[0] != "2.0" || d.Packages.NewSize != 31) {
					t.Errorf("%+v", d.Packages)
				}
				if u := d.Units; !slices.Equal(u.Stop, []string{"a.service"}) || !slices.Equal(u.Restart, []string{"b.service", "c.service"}) || !slices.Equal(u.Keep, []string{"k.service"}) || !slices.Equal(u.Start, []string{"a.service"}) || u.Reload != nil {
					t.Errorf("%+v", u)
				}
			})
		})
	}
}

// What has not come to its activation has changed nothing, and a plan asks nothing more.
func TestNothingChangedIsNotCompared(t *testing.T) {
	n := &comparingNix{}
	f, h := hospital(t, always(true))
	f.nix, h.current, h.profile = n, newSystem, newSystem
	if r := deployOne(t, f, DeployOptions{SkipHealth: true}); r.Outcome != Unchanged || r.Difference != nil || n.asked != nil {
		t.Errorf("%+v, asked %v", r, n.asked)
	}
}

// A rollback knows of packages what its plan found out, if that was of the same system.
func TestRollbackTellsWhatWasPlanned(t *testing.T) {
	d := &Difference{Packages: PackageDiff{Added: []PackageChange{{Name: "tool"}}}}
	for live, unknown := range map[nixcmd.StorePath]string{newSystem: "", systemPath("x"): "were not compared"} {
		f, h := historic(t)
		h.prints = []string{"restarting the following units: a.service"}
		planned := &Report{Results: []Result{{Host: f.Inventory.Hosts[0], Live: live, Generation: &Generation{Number: 1, Path: oldSystem}, Difference: d}}}
		r := f.Rollback(t.Context(), f.Inventory.Hosts, RollbackOptions{Planned: planned}).Results[0]
		if r.Difference == nil || !strings.Contains(r.Difference.PackagesUnknown, unknown) || (len(r.Difference.Packages.Added) == 1) != (unknown == "") || len(r.Difference.Units.Restart) != 1 {
			t.Errorf("%+v, %+v", r, r.Difference)
		}
	}
}
