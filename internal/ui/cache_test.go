package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
)

// How much came from the fleet's cache is in the summary, in JSON and on a run's page, and
// in none of them if it was not asked.
func TestCacheUse(t *testing.T) {
	use := fleet.CacheUse{LackedPaths: 4, LackedBytes: 4 << 20, FetchedPaths: 3, FetchedBytes: 3 << 20}
	r := &fleet.Report{Duration: time.Second, Results: []fleet.Result{
		{Host: fleet.Host{Name: "a"}, Outcome: fleet.Switched, Cache: use}, {Host: fleet.Host{Name: "b"}, Outcome: fleet.Switched},
	}}
	if got, want := Summary(r), "2 hosts: 2 switched, 1.0 s, 75 % of 4.0 MiB from the fleet's cache"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	hosts := newJSONReport(r).Hosts
	if hosts[0].Cache == nil || *hosts[0].Cache != (jsonCache{4, 4 << 20, 3, 3 << 20}) || hosts[1].Cache != nil {
		t.Errorf("%+v, %+v", hosts[0].Cache, hosts[1].Cache)
	}
	of := func(u fleet.CacheUse) string {
		return newPageHost(history.Host{Detail: history.Detail{Cache: u}}, 0, time.Second).Work
	}
	if got := of(use); !strings.HasPrefix(got, "3 of 4 paths (75 % of 4 MiB) from the fleet's cache") || of(fleet.CacheUse{}) != "" {
		t.Errorf("%q, %q", got, of(fleet.CacheUse{}))
	}
	r.Results = r.Results[1:]
	if got := Summary(r); strings.Contains(got, "cache") {
		t.Errorf("%q", got)
	}
}

// A system that did not get to the fleet's cache is in the summary, and in JSON with the reason:
// its host is well, and has no error.
func TestNotPushed(t *testing.T) {
	r := &fleet.Report{Duration: time.Second, Results: []fleet.Result{
		{Host: fleet.Host{Name: "a"}, Outcome: fleet.Built, NotPushed: "no room"}, {Host: fleet.Host{Name: "b"}, Outcome: fleet.Built},
	}}
	if got, want := Summary(r), "2 hosts: 2 built, 1.0 s, 1 not pushed to the fleet's cache"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if hosts := newJSONReport(r).Hosts; hosts[0].NotPushed != "no room" || hosts[1].NotPushed != "" {
		t.Errorf("%+v", hosts)
	}
	r.Results = r.Results[:1]
	if got, want := Summary(r), "a: built, 1.0 s, not pushed to the fleet's cache"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
