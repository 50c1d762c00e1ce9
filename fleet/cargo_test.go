package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// A link is measured with real processes; a host that does not answer as it should is
// an error.
func TestMeasureLink(t *testing.T) {
	l, err := measureLink(t.Context(), here{}, 1<<20)
	if err != nil || l.RoundTrip <= 0 || l.Session <= 0 || l.Handshake <= 0 || l.Uplink <= 0 {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := echo(t.Context(), mute{}); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a mute host: %v", err)
	}
}

// mute ends every command at once.
type mute struct{ here }

func (mute) Run(context.Context, sshpool.Cmd) (sshpool.Result, error) { return sshpool.Result{}, nil }

// keeper is Nix's store as far as cargo needs it: it holds on to paths for a while.
type keeper struct {
	Nix
	has   []nixcmd.StorePath
	files [][]byte
	holds int
}

func (k *keeper) AddFiles(_ context.Context, files []string) (paths []nixcmd.StorePath, err error) {
	for i, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		k.files = append(k.files, text)
		paths = append(paths, storePathNo(i))
	}
	k.has = paths
	return paths, nil
}

func (k *keeper) Delete(_ context.Context, paths []nixcmd.StorePath) error {
	if k.holds--; k.holds >= 0 {
		return errors.New("still alive")
	}
	k.has = slices.DeleteFunc(k.has, func(p nixcmd.StorePath) bool { return slices.Contains(paths, p) })
	return nil
}

func (k *keeper) Missing(_ context.Context, paths []nixcmd.StorePath) ([]nixcmd.StorePath, error) {
	return slices.DeleteFunc(slices.Clone(paths), func(p nixcmd.StorePath) bool { return slices.Contains(k.has, p) }), nil
}

// Cargo is of the sizes asked for, different each time, and leaves the store again, if
// need be a moment later; what stays there is said.
func TestCargo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	k := &keeper{}
	f := &Fleet{nix: k}
	c, err := f.MakeCargo(t.Context(), 2, 5001)
	if err != nil || len(c.Small) != 2 || c.Large != storePathNo(2) || len(c.paths()) != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	for i, size := range []int{smallCargo, smallCargo, 5002} {
		if len(k.files[i]) != size {
			t.Errorf("file %d has %d bytes", i, len(k.files[i]))
		}
	}
	if string(k.files[0]) == string(k.files[1]) {
		t.Error("the same path twice")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.MakeCargo(cancelled, 1, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for holds, want := range map[int]string{0: "", 3: "", 100: "3 of the paths made up to be copied are still in the store, such as /nix/store/0"} {
		synctest.Test(t, func(t *testing.T) {
			k.has, k.holds = c.paths(), holds
			began := time.Now()
			err := f.DropCargo(t.Context(), c)
			if want == "" && (err != nil || len(k.has) > 0) || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "still alive")) {
				t.Errorf("held %d times: %v, left %q after %s", holds, err, k.has, time.Since(began))
			}
		})
	}
}
