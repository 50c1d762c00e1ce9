package lab

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	point, fsType, superOptions string
}

func parseMountinfo(r io.Reader) ([]mount, error) {
	var mounts []mount
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		before, after, ok := strings.Cut(scan.Text(), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 5 || len(tail) < 2 {
			continue
		}
		m := mount{point: unescapeMount(head[4]), fsType: tail[0]}
		if len(tail) > 2 {
			m.superOptions = tail[2]
		}
		mounts = append(mounts, m)
	}
	return mounts, scan.Err()
}

// unescapeMount undoes the kernel's \ooo for white space and backslashes.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func mountTable() ([]mount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return parseMountinfo(f)
}

// mountsBelow returns the mount points at or below dir, the last made first.
func mountsBelow(dir string, table []mount) []string {
	var points []string
	for i := len(table) - 1; i >= 0; i-- {
		if p := table[i].point; p == dir || strings.HasPrefix(p, dir+"/") {
			points = append(points, p)
		}
	}
	return points
}
