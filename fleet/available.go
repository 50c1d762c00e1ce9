package fleet

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// availableMemory is how many bytes this process and its children could take
// now: what the kernel calls available (MemAvailable in proc(5)), or what the
// tightest of the control groups it is in leaves, whichever is less. 0 if that is
// not known. Root is "/", or a test's.
func availableMemory(root string) int64 {
	least := int64(math.MaxInt64)
	for line := range lines(root, "proc/meminfo") {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				least = kib << 10
			}
		}
	}
	for _, g := range memoryGroups(root) {
		least = min(least, g.available(root))
	}
	if least == math.MaxInt64 {
		return 0
	}
	return max(least, 1)
}

// memoryGroup is a control group, as a directory, that may limit memory.
type memoryGroup struct {
	dir string
	v2  bool
}

// memoryGroups are the control groups of this process that count memory, from
// its own up to the topmost that can be seen; see cgroups(7). They are looked for
// where systemd mounts them, as practically everybody does. A container may see
// its own group as the topmost, under the path it has outside: directories that
// are not there have no limit.
func memoryGroups(root string) []memoryGroup {
	var groups []memoryGroup
	for line := range lines(root, "proc/self/cgroup") {
		id, rest, _ := strings.Cut(line, ":")
		controllers, path, _ := strings.Cut(rest, ":")
		g, top := memoryGroup{v2: id == "0" && controllers == ""}, "/sys/fs/cgroup"
		switch {
		case g.v2:
		case strings.Contains(","+controllers+",", ",memory,"):
			top += "/memory"
		default:
			continue
		}
		for path = filepath.Join("/", path); ; path = filepath.Dir(path) {
			g.dir = filepath.Join(top, path)
			groups = append(groups, g)
			if path == "/" {
				break
			}
		}
	}
	return groups
}

// available is what the group's limit leaves; files that were read count as
// left, since the kernel drops them first. math.MaxInt64 if it has no limit.
func (g memoryGroup) available(root string) int64 {
	number := func(name string) int64 {
		for line := range lines(root, filepath.Join(g.dir, name)) {
			if n, err := strconv.ParseInt(line, 10, 64); err == nil {
				return n
			}
		}
		return math.MaxInt64 // "max", or no such file, as in the topmost group
	}
	limit, used, dropped := "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "
	if g.v2 {
		limit, used, dropped = "memory.max", "memory.current", "inactive_file "
	}
	most := number(limit)
	if g.v2 {
		most = min(most, number("memory.high"))
	}
	if most == math.MaxInt64 {
		return most
	}
	taken := number(used)
	for line := range lines(root, filepath.Join(g.dir, "memory.stat")) {
		if value, ok := strings.CutPrefix(line, dropped); ok {
			n, _ := strconv.ParseInt(value, 10, 64)
			taken -= n
		}
	}
	return max(0, most-max(0, taken))
}

// lines are those of a file, without their ends; none if it cannot be read.
func lines(root, file string) func(yield func(string) bool) {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		text = nil
	}
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(text)) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}
