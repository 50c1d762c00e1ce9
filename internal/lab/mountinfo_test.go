package lab

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const hybridTable = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /sys/fs/cgroup rw shared:2 - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
40 22 0:40 / /mnt/with\040space\134 rw - overlay overlay rw,lowerdir=/a
41 40 0:41 / /mnt/with\040space\134/nix rw - overlay overlay rw,lowerdir=/b
42 22 0:42 / /mnt/with\040space\134x rw - tmpfs tmpfs rw
`

func TestMountinfo(t *testing.T) {
	table, err := parseMountinfo(strings.NewReader(hybridTable))
	if err != nil || len(table) != 8 {
		t.Fatalf("%d mounts, %v; want 8", len(table), err)
	}
	want := []string{`/mnt/with space\/nix`, `/mnt/with space\`}
	if got := mountsBelow(`/mnt/with space\`, table); !reflect.DeepEqual(got, want) {
		t.Errorf("below: %q, want %q", got, want)
	}
}

func TestTrackingHierarchies(t *testing.T) {
	tests := map[string]struct {
		table string
		want  []string
	}{
		"hybrid":  {hybridTable, []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}},
		"unified": {"30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n", []string{"/sys/fs/cgroup"}},
		"legacy":  {"32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n", []string{"/sys/fs/cgroup/systemd"}},
		"none":    {"22 1 254:0 / / rw - ext4 /dev/vda rw\n", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table, err := parseMountinfo(strings.NewReader(tt.table))
			if err != nil {
				t.Fatal(err)
			}
			if got := trackingHierarchies(table); len(got)+len(tt.want) > 0 && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The kernel escapes white space, backslash and # (seq_path).
func TestUnescapeMountUndoesTheKernel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + rapid.StringMatching(`[a-z0-9 \t\n\\#/é]*`).Draw(t, "path")
		var escaped strings.Builder
		for _, b := range []byte(path) {
			if strings.IndexByte(" \t\n\\#", b) >= 0 {
				fmt.Fprintf(&escaped, `\%03o`, b)
			} else {
				escaped.WriteByte(b)
			}
		}
		if got := unescapeMount(escaped.String()); got != path {
			t.Errorf("%q became %q", escaped.String(), got)
		}
	})
}

func FuzzMountinfo(f *testing.F) {
	f.Add(hybridTable)
	f.Add(`1 2 3:4 / \04 - x`)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := parseMountinfo(strings.NewReader(text))
		if err != nil {
			return
		}
		_ = trackingHierarchies(table)
		_ = mountsBelow("/", table)
	})
}

func FuzzStartTicks(f *testing.F) {
	f.Add("1 (a) b) c) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 4711 1")
	f.Fuzz(func(_ *testing.T, stat string) { _, _ = startTicks(stat) })
}

func TestStartTicks(t *testing.T) {
	got, err := startTicks("7 (sh) 1 2) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 4711 1\n")
	if err != nil || got != 4711 {
		t.Errorf("got %d, %v; want 4711", got, err)
	}
	for _, bad := range []string{"", "7 (sh", "7 (sh) S 1"} {
		if _, err := startTicks(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
