package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/nixcmd"
)

const goodStore = "flotilla-store 1\nmissing " + string(newSystem) + "\nlive " + string(oldSystem) + "\nlive " + string(newSystem) + "\nsize 5\nsize 7\nend ok\n"

func TestParseStore(t *testing.T) {
	k, err := parseStore(goodStore)
	if err != nil || !k.missing[newSystem] || len(k.missing) != 1 || len(k.live) != 2 || k.live[0].NarSize != 5 || k.live[1].Path != newSystem || k.live[1].NarSize != 7 {
		t.Errorf("%+v, %v", k, err)
	}
	if k, err := parseStore("flotilla-store 1\nend ok\n"); err != nil || len(k.missing)+len(k.live) != 0 {
		t.Errorf("nothing missing: %+v, %v", k, err)
	}
	if _, err := parseStore(strings.TrimSuffix(goodStore, "end ok\n")); !errors.Is(err, errCutShort) {
		t.Errorf("a cut answer: %v", err)
	}
	for name, text := range map[string]string{
		"another program": "Welcome!\nend ok\n",
		"a size too few":  strings.Replace(goodStore, "size 5\n", "", 1),
		"a size too many": strings.Replace(goodStore, "size 5\n", "size 5\nsize 5\n", 1),
		"no number":       strings.Replace(goodStore, "size 5", "size -5", 1),
		"a hostile path":  strings.Replace(goodStore, string(oldSystem), hostile, 1),
	} {
		if _, err := parseStore(text); !errors.Is(err, errNoStoreAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a host answers, what is to be copied is part of the wanted closure,
// and all that is a path is one.
func FuzzParseStore(f *testing.F) {
	f.Add(goodStore)
	f.Add("flotilla-store 1\nsize 1\nlive x\nend")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseStore(text)
		if err != nil {
			return
		}
		k.wanted = []nixcmd.PathInfo{{Path: newSystem, NarSize: 3}}
		if w := k.copying(); w != (CopyWork{}) && w != (CopyWork{1, 3}) {
			t.Fatalf("%+v", w)
		}
		for _, info := range k.live {
			if _, err := nixcmd.ParseStorePath(string(info.Path)); err != nil || info.NarSize < 0 {
				t.Fatalf("%+v", info)
			}
		}
	})
}

// A plan is a function of what both stores hold: what is copied is what the host
// lacks, no more than the closure, and nothing if it has all; there is no room
// exactly if that is more than is free.
func TestDifferenceProperty(t *testing.T) {
	closure := rapid.SliceOfNDistinct(rapid.IntRange(0, 20), 0, 12, rapid.ID[int])
	infos := func(numbers []int) (list []nixcmd.PathInfo) {
		for _, n := range numbers {
			list = append(list, nixcmd.PathInfo{Path: nixcmd.StorePath(fmt.Sprintf("/nix/store/%032d-p%d-1.%d", n, n%5, n)), NarSize: int64(n * 10)})
		}
		return list
	}
	rapid.Check(t, func(t *rapid.T) {
		k := &stores{live: infos(closure.Draw(t, "live")), wanted: infos(closure.Draw(t, "wanted")), missing: map[nixcmd.StorePath]bool{}}
		var paths int
		var bytes int64
		for _, info := range k.wanted {
			if rapid.Bool().Draw(t, "missing") {
				k.missing[info.Path] = true
				paths, bytes = paths+1, bytes+info.NarSize
			}
		}
		k.missing["/nix/store/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-never-asked-for"] = true
		free := rapid.Int64Range(-1, 2000).Draw(t, "free")
		d := difference(k, free)
		if d.Copy != (CopyWork{paths, bytes}) || d.Copy.Bytes > d.Packages.NewSize || d.FreeBytes != free {
			t.Fatalf("%+v of %+v", d, k)
		}
		if d.NoRoom() != (free >= 0 && bytes > free) {
			t.Fatalf("%d bytes, %d free: %v", bytes, free, d.NoRoom())
		}
		if d.UnitsUnknown == "" || d.Reboot != nil {
			t.Fatalf("units are known without a dry activation: %+v", d)
		}
	})
}
