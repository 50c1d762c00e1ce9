package lab

import "context"

// PowerOff pulls a machine's plug: its processes end at once and its link goes
// silent, without a word to its peers. Its disk keeps what was written. It is
// no error if the machine is off already.
func (l *Lab) PowerOff(ctx context.Context, machine string) error {
	if err := checkMachine("power off", machine); err != nil {
		return err
	}
	lock, err := l.lock(ctx)
	if err != nil {
		return fail("power off", machine, err)
	}
	defer lock.unlock()
	if machine == Control {
		// It lives in Control's network.
		if err := l.killContainer(ctx, compat); err != nil {
			return fail("power off", compat, err)
		}
	}
	return fail("power off", machine, l.halt(ctx, machine))
}

// PowerOn boots a machine from the disk it had and returns when its sshd
// answers. Faults of its link and its disk are as they were. It is no error if
// the machine is on already.
func (l *Lab) PowerOn(ctx context.Context, machine string) error {
	if err := checkMachine("power on", machine); err != nil {
		return err
	}
	if err := l.switchOn(ctx, machine); err != nil {
		return fail("power on", machine, err)
	}
	return fail("power on", machine, l.awaitBoot(ctx, machine))
}

func (l *Lab) switchOn(ctx context.Context, machine string) error {
	lock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.unlock()
	s, err := loadState(l.path.state())
	if err != nil {
		return err
	}
	if s.Image == "" || !l.bridgeExists(ctx) {
		return &Error{Op: "power on", Machine: machine, Err: ErrNotRunning, Fix: "bring the lab up first"}
	}
	return l.boot(ctx, machine, l.imageDir(s.Image), s.Machines[machine])
}
