package recipes

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A program that had taken the place of this one's file was started to connect for ssh, and the confirming
// connection waited for it until the host went back.
func TestSelfIsWhatRuns(t *testing.T) {
	program := self()
	got, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.Stat(path); err != nil || !os.SameFile(got, want) {
		t.Errorf("%s is not %s: %v", program, path, err)
	}
	if linux := runtime.GOOS == "linux"; linux != (filepath.Base(program) == "exe") {
		t.Errorf("it is started by its path, %s", program)
	}
}
