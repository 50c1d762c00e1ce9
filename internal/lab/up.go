package lab

import (
	"context"
	"path/filepath"
)

// Up returns a running lab. It builds the image if this is the first, boots the
// machines that are down, and makes Control's fleet checkout if there is none;
// an edited one is left alone, and so are faults in force. Missing programs are
// installed as by Install.
//
// An Up that was cancelled or killed leaves something that the next Up
// completes and Down removes. Errors are an *Error or a *MissingError, one for
// each machine that did not boot.
func Up(ctx context.Context, cfg Config) (*Lab, error) {
	l, err := newLab(cfg, "up")
	if err != nil {
		return nil, err
	}
	if err := l.prerequisites(ctx); err != nil {
		return nil, err
	}
	lock, err := l.lock(ctx)
	if err != nil {
		return nil, fail("up", "", err)
	}
	defer lock.unlock()

	s, err := loadState(l.path.state())
	if err != nil {
		return nil, fail("up", "", err)
	}
	image, err := l.ensureImage(ctx, booted(), &s.Image, &s)
	if err != nil {
		return nil, fail("build the image", "", err)
	}
	if err := l.ensureKeys(ctx); err != nil {
		return nil, fail("make keys", "", err)
	}
	if !l.bridgeExists(ctx) {
		// Whatever runs is connected to a bridge that is gone.
		if err := each(Machines(), func(m string) error { return fail("power off", m, l.halt(ctx, m)) }); err != nil {
			return nil, err
		}
		if err := l.makeBridge(ctx); err != nil {
			return nil, fail("make the bridge", "", err)
		}
	}
	err = each(Machines(), func(m string) error {
		if err := l.boot(ctx, m, image, s.Machines[m]); err != nil {
			return fail("boot", m, err)
		}
		return fail("boot", m, l.awaitBoot(ctx, m))
	})
	if err != nil {
		return nil, err
	}
	if err := l.placeFlotilla(l.path.machine(Control, "root")); err != nil {
		return nil, fail("place flotilla", Control, err)
	}
	if err := l.makeFleet(ctx); err != nil {
		return nil, fail("make the fleet checkout", Control, err)
	}
	return l, nil
}

// fleetSource is where provisioned images keep the lab's fleet.
const fleetSource = provisionDir + "/fleet"

// makeFleet makes the checkout aside and moves it in place when it is complete.
const fleetScript = `set -eu
[ -e "$2" ] && exit
rm -rf "$2.new"
cp -r "$1" "$2.new"
cd "$2.new"
git init --quiet --initial-branch=main
git add --all
git commit --quiet --message "The lab's fleet"
cd /
mv "$2.new" "$2"`

func (l *Lab) makeFleet(ctx context.Context) error {
	_, err := l.exec(ctx, Control, ExecOptions{
		Dir:  filepath.Dir(FleetDir),
		Argv: []string{"sh", "-c", fleetScript, "sh", fleetSource, FleetDir},
	})
	return err
}
