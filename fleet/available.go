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
// its own up to the topmost that can be seen: see cgroups(7), and for the forms
// of the files proc_pid_mountinfo(5).
func memoryGroups(root string) []memoryGroup {
	own := make(map[bool]string) // by v2
	for line := range lines(root, "proc/self/cgroup") {
		id, rest, _ := strings.Cut(line, ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch {
		case id == "0" && controllers == "":
			own[true] = path
		case has(controllers, "memory"):
			own[false] = path
		}
	}
	var groups []memoryGroup
	for line := range lines(root, "proc/self/mountinfo") {
		before, after, _ := strings.Cut(line, " - ")
		mount, kind := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(kind) < 3 {
			continue
		}
		v2 := kind[0] == "cgroup2"
		path, in := own[v2]
		if !in || !v2 && (kind[0] != "cgroup" || !has(kind[2], "memory")) {
			continue
		}
		// What is mounted may be a part of the tree, in a container its own.
		below, err := filepath.Rel(mount[3], path)
		if err != nil || !filepath.IsLocal(below) {
			below = "."
		}
		for dir := filepath.Join(mount[4], below); ; dir = filepath.Dir(dir) {
			groups = append(groups, memoryGroup{dir, v2})
			if dir == filepath.Clean(mount[4]) || dir == "/" {
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

// has reports whether a list with commas has an entry.
func has(list, entry string) bool { return strings.Contains(","+list+",", ","+entry+",") }
