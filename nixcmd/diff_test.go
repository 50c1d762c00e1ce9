package nixcmd

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func info(hash byte, name string, size int64) PathInfo {
	return PathInfo{Path: StorePath(StoreDir + "/" + strings.Repeat(string(hash), hashLen) + "-" + name), NarSize: size}
}

func TestDiff(t *testing.T) {
	before := []PathInfo{
		info('0', "bash-5.2", 100), info('1', "bash-5.2-man", 10), info('2', "openssl-3.0.1", 50),
		info('3', "openssl-1.1.1", 40), info('4', "gone-1", 7), info('5', "etc", 5), info('6', "same-1", 1),
	}
	after := []PathInfo{
		info('7', "etc", 5), info('0', "bash-5.2", 100), info('a', "bash-5.3-man", 11),
		info('2', "openssl-3.0.1", 50), info('b', "new-1-dev", 3), info('6', "same-1", 1),
	}
	got := Diff(before, after)
	want := ClosureDiff{
		Added:   []PackageChange{{Name: "new", NewVersions: []string{"1"}, NewSize: 3}},
		Removed: []PackageChange{{Name: "gone", OldVersions: []string{"1"}, OldSize: 7}},
		Changed: []PackageChange{
			{Name: "bash", OldVersions: []string{"5.2"}, NewVersions: []string{"5.2", "5.3"}, OldSize: 110, NewSize: 111},
			{Name: "etc", OldVersions: []string{""}, NewVersions: []string{""}, OldSize: 5, NewSize: 5},
			{Name: "openssl", OldVersions: []string{"1.1.1", "3.0.1"}, NewVersions: []string{"3.0.1"}, OldSize: 90, NewSize: 50},
		},
		OldPaths: 7, NewPaths: 6, OldSize: 213, NewSize: 170,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got.Changed[1].VersionsDiffer() || !got.Changed[0].VersionsDiffer() {
		t.Error("etc was rebuilt, bash has another version")
	}
	if d := Diff(nil, nil); !d.Empty() {
		t.Errorf("%+v", d)
	}
}

func closure(t *rapid.T, label string) []PathInfo {
	names := rapid.SampledFrom([]string{"a-1", "a-2", "a-2-man", "b", "c-1.0", "c-unstable", "d-1-lib"})
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) PathInfo {
		hash := hashChars[rapid.IntRange(0, 3).Draw(t, "hash")]
		name := names.Draw(t, "name")
		return info(hash, name, int64(hash)+int64(len(name)))
	}), 0, 20, func(i PathInfo) StorePath { return i.Path }).Draw(t, label)
}

func TestDiffProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := closure(t, "a"), closure(t, "b")
		if d := Diff(a, a); !d.Empty() || d.OldSize != d.NewSize || d.OldPaths != len(a) {
			t.Fatalf("a closure differs from itself: %+v", d)
		}
		d, back := Diff(a, b), Diff(b, a)
		if !reflect.DeepEqual(d, mirrored(back)) {
			t.Fatalf("%+v is not the mirror image of %+v", d, back)
		}
		shuffled := rapid.Permutation(a).Draw(t, "shuffled")
		if !reflect.DeepEqual(d, Diff(append(shuffled, shuffled...), b)) {
			t.Fatal("order or repetition matters")
		}
		var delta int64
		for _, list := range [][]PackageChange{d.Added, d.Removed, d.Changed} {
			if !slices.IsSortedFunc(list, func(x, y PackageChange) int { return strings.Compare(x.Name, y.Name) }) {
				t.Fatal("not sorted")
			}
			for _, c := range list {
				delta += c.NewSize - c.OldSize
			}
		}
		if delta != d.NewSize-d.OldSize {
			t.Fatalf("the changes add up to %d bytes, not %d", delta, d.NewSize-d.OldSize)
		}
		if d.Empty() != (len(a) == len(b) && fmt.Sprint(sorted(a)) == fmt.Sprint(sorted(b))) {
			t.Fatal("empty if and only if equal")
		}
	})
}

func sorted(c []PathInfo) []PathInfo {
	return slices.SortedFunc(slices.Values(c), func(x, y PathInfo) int { return strings.Compare(string(x.Path), string(y.Path)) })
}

func mirrored(d ClosureDiff) ClosureDiff {
	turn := func(list []PackageChange) []PackageChange {
		for i, c := range list {
			list[i] = PackageChange{c.Name, c.NewVersions, c.OldVersions, c.NewSize, c.OldSize}
		}
		return list
	}
	return ClosureDiff{
		Added: turn(d.Removed), Removed: turn(d.Added), Changed: turn(d.Changed),
		OldPaths: d.NewPaths, NewPaths: d.OldPaths, OldSize: d.NewSize, NewSize: d.OldSize,
	}
}

// A NixOS closure has a few thousand paths.
func BenchmarkDiff(b *testing.B) {
	var before, after []PathInfo
	for i := range 4000 {
		before = append(before, info(hashChars[i%16], fmt.Sprintf("package-%d-1.%d", i, i%3), int64(i)))
		after = append(after, info(hashChars[(i+i/3999)%16], fmt.Sprintf("package-%d-1.%d", i, i%3), int64(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		Diff(before, after)
	}
}
