package fleet

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// What is available is the least of the kernel's word and of what each control
// group up the tree leaves, in both versions and in containers, which see a part
// of the tree.
func TestAvailableMemory(t *testing.T) {
	const mib = 1 << 20
	meminfo := "MemTotal:  8192000 kB\nMemFree:  100 kB\nMemAvailable:    2048 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing is known": {nil, 0},
		"no control group": {map[string]string{"proc/meminfo": meminfo}, 2 * mib},
		"no limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.high": "max\n", "sys/fs/cgroup/a/memory.current": "1\n"}, 2 * mib},
		"v2, the parent is tighter": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "1048576\n", "sys/fs/cgroup/a/b/memory.current": "0\n",
			"sys/fs/cgroup/a/memory.max": "1048576\n", "sys/fs/cgroup/a/memory.current": "1000000\n",
			"sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 500000\n"}, 1048576 - 500000},
		"v2, memory.high": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.high": "5000\n", "sys/fs/cgroup/memory.current": "1000\n"}, 4000},
		"v2, used up": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "6000\n"}, 1},
		"v1 in a container": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/docker/x\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "4000\n",
			"sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n"}, 6000},
		"v1 without a limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:cpu,memory:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "4000\n"}, 2 * mib},
		"a group above what can be seen": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../x\n",
			"sys/fs/cgroup/memory.max": "7000\n", "sys/fs/cgroup/memory.current": "0\n"}, 7000},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range c.files {
				file = filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := availableMemory(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}

// The machine's own files are understood.
func TestAvailableMemoryHere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc/meminfo")
	}
	if got := availableMemory("/"); got < 16<<20 || got > 1<<50 {
		t.Errorf("%d bytes", got)
	}
}

func BenchmarkAvailableMemory(b *testing.B) {
	for b.Loop() {
		availableMemory("/")
	}
}
