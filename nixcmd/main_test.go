package nixcmd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// realNix is the nix of the machine, looked up before the fake one is put into
// PATH; "" if there is none.
var realNix string

func TestMain(m *testing.M) {
	realNix, _ = proc.LookPath("nix")
	testscript.Main(m, map[string]func(){
		"nix":       fakeNix,
		"nix-store": fakeNix,
		"drive":     drive,
	})
}

// TestScripts runs the client, as a process, against a nix that replays what a
// real one printed.
func TestScripts(t *testing.T) {
	recordings, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RECORDINGS", recordings)
			// The race detector makes each process wait a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			e.Setenv("FAKE_LOG", filepath.Join(e.WorkDir, "ran"))
			return nil
		},
	})
}
