package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// Environment is where a benchmark ran. What could not be found out is zero.
type Environment struct {
	// Machine tells machines apart without naming them; the same after a reboot.
	Machine string `json:"machine"`
	// CPU is the processor's name, Cores how many of its cores can be used.
	CPU   string `json:"cpu,omitempty"`
	Cores int    `json:"cores"`
	// Memory is all there is, Available what was left when the benchmark began, in
	// bytes.
	Memory    int64 `json:"memory_bytes"`
	Available int64 `json:"available_bytes"`
	// Load is the load average of the minute before the benchmark, LoadAfter that
	// at its end, which it made itself for a part (proc(5), loadavg).
	Load      float64 `json:"load"`
	LoadAfter float64 `json:"load_after"`
	// Kernel is the kernel's release, OS and Arch are Go's names, Go is the
	// version that this was compiled with.
	Kernel string `json:"kernel"`
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Go     string `json:"go"`
	// Nix is Nix's version, Store the store it works on: "local" if it builds by
	// itself, "daemon" if a daemon does.
	Nix   string `json:"nix"`
	Store string `json:"store"`
	// Revision is the flake's commit, Dirty says that its tree differs from it.
	Revision string `json:"revision,omitempty"`
	Dirty    bool   `json:"dirty"`
}

// Busy reports whether more wanted to run before the benchmark than there are
// cores, so that its times are those of waiting as well. A benchmark that has just
// ended, which uses a core or two, does not make a machine busy by itself.
func (e Environment) Busy() bool { return e.Load > float64(e.Cores) }

// Look finds out where this runs. Errors are those of fleet.Fleet.NixHere.
func Look(ctx context.Context, f *fleet.Fleet) (Environment, error) {
	nix, err := f.NixHere(ctx)
	if err != nil {
		return Environment{}, err
	}
	return Environment{
		Machine: machine(), CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		Memory: memory(), Available: f.AvailableMemory(), Load: load(),
		Kernel: line("/proc/sys/kernel/osrelease"), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(),
		Nix: nix.Version, Store: nix.Store, Revision: nix.Revision, Dirty: nix.Dirty,
	}, nil
}

// machine is made from machine-id(5), which asks not to be shown as it is, or
// else from the host name.
func machine() string {
	id := line("/etc/machine-id")
	if id == "" {
		id, _ = os.Hostname() // the same for all that have no name
	}
	sum := sha256.Sum256([]byte("flotilla bench " + id))
	return hex.EncodeToString(sum[:8])
}

func memory() int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	return kib << 10
}

func load() float64 {
	first, _, _ := strings.Cut(line("/proc/loadavg"), " ")
	n, _ := strconv.ParseFloat(first, 64)
	return n
}

// line is the first line of a small file.
func line(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first
}

// field is the first value of that name in a file of "name: value" lines.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for l := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
