package fleet

import (
	"slices"
	"testing"

	"github.com/nixflotilla/flotilla/internal/readset"
)

// A file is told of under the host that it concerns, under none if there are several or
// it is not known, and to whoever shares Unseen once.
func TestWhoseUntrackedFiles(t *testing.T) {
	imports := func(files ...string) *readset.Result {
		r := &readset.Result{Imports: map[string]readset.Facts{}}
		for _, f := range files {
			r.Imports[f] = readset.Facts{}
		}
		return r
	}
	a, b := imports("flake.nix", "hosts/a/x.nix", "mods/x.nix"), imports("flake.nix", "hosts/b/x.nix", "mods/x.nix")
	// As if it imported ./hosts/${name}.
	for _, r := range []*readset.Result{a, b} {
		r.Imports["flake.nix"] = readset.Facts{Paths: []string{"hosts"}}
	}
	files := []string{"hosts/a/new.nix", "hosts/b/new.conf", "mods/new.conf", "notes", "site/new.nix"}
	const see, track = "the flake does not see ", ", which Git does not track (git add)"
	for _, c := range []struct {
		name    string
		readers []onlooker
		want    []string
	}{
		{"both known", []onlooker{{"b", b}, {"a", a}}, []string{
			": " + see + "mods/new.conf and site/new.nix" + track, "a: " + see + "hosts/a/new.nix" + track, "b: " + see + "hosts/b/new.conf" + track}},
		{"one of them", []onlooker{{"b", b}}, []string{
			": " + see + "hosts/a/new.nix and site/new.nix" + track, "b: " + see + "hosts/b/new.conf and mods/new.conf" + track}},
		{"one not known", []onlooker{{"a", a}, {"b", nil}}, []string{
			": " + see + "hosts/a/new.nix and 3 more files" + track}},
		{"none looked", nil, nil},
	} {
		var got []string
		f := &Fleet{Inventory: &Inventory{}, sink: SinkFunc(func(e Event) { got = append(got, e.Host+": "+e.Text) }), unseen: &Unseen{}}
		for range 2 {
			s := f.recollect(t.Context())
			s.likely = func() *readset.Result { return imports("hosts/a/x.nix", "hosts/b/x.nix", "mods/x.nix") }
			s.untracked.files, s.untracked.readers = slices.Clone(files), c.readers
			close(s.untracked.done)
			s.warnOfUntracked()
			s.stop()
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
