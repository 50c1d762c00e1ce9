package lab

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Status is what a lab was like when asked.
type Status struct {
	// Name is the lab's name, given or derived.
	Name string
	// Dir is the directory of everything the lab keeps; Image is that of the
	// image its machines stand on, or "" before it is built.
	Dir, Image string
	// Machines has one entry for each of Machines, in that order.
	Machines []MachineStatus
}

// MachineStatus is what one machine was like when asked.
type MachineStatus struct {
	// Name and Address are as in Machines and Address.
	Name, Address string
	// Running is whether it has power and has not shut down.
	Running bool
	// System is what systemctl(1) is-system-running says: "running",
	// "degraded", "starting"…; "" if not Running or if it did not answer.
	System string
	// Uptime is the time since its boot, 0 if not Running.
	Uptime time.Duration
	// Dir is the directory of its files and of its console.log.
	Dir string

	// Cut, Latency (round trip), Loss (per cent) and Bandwidth (bits per
	// second) are the faults asked for; 0 is none.
	Cut       bool
	Latency   time.Duration
	Loss      float64
	Bandwidth int64
	// DiskFilled is whether FillDisk is in force, and StoreFree how many
	// bytes its store has left; 0 if it is not mounted.
	DiskFilled bool
	StoreFree  int64
}

// Status looks at every machine. A machine that does not answer is no error.
func (l *Lab) Status(ctx context.Context) (Status, error) {
	s, err := loadState(l.path.state())
	if err != nil {
		return Status{}, fail("status", "", err)
	}
	status := Status{Name: l.path.id, Dir: l.path.dir()}
	if s.Image != "" {
		status.Image = l.imageDir(s.Image)
	}
	machines := Machines()
	status.Machines = make([]MachineStatus, len(machines))
	index := make(map[string]int, len(machines))
	for i, machine := range machines {
		index[machine] = i
	}
	err = each(machines, func(machine string) error {
		m, err := l.machineStatus(ctx, machine, s.Machines[machine])
		status.Machines[index[machine]] = m
		return fail("status", machine, err)
	})
	return status, err
}

func (l *Lab) machineStatus(ctx context.Context, machine string, f faults) (MachineStatus, error) {
	m := MachineStatus{
		Name: machine, Address: Address(machine), Dir: l.path.machine(machine),
		Cut: f.Cut, Latency: f.Latency, Loss: f.Loss, Bandwidth: f.Bandwidth,
	}
	if isMountPoint(l.path.machine(machine, "store")) {
		m.StoreFree, _ = freeSpace(l.path.machine(machine, "store"))
		var st unix.Stat_t
		m.DiskFilled = unix.Stat(l.path.fill(machine), &st) == nil
	}
	pid, err := l.leader(machine)
	if err != nil || pid == 0 {
		return m, err
	}
	m.Running = true
	m.System = l.systemState(ctx, machine)
	m.Uptime, err = uptime(pid)
	if err != nil {
		m.Running, m.System = false, "" // it ended just now
	}
	return m, ctx.Err()
}
