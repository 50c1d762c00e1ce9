package lab

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestStateRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if s, err := loadState(path); err != nil || !reflect.DeepEqual(s, state{}) {
		t.Fatalf("without a file: %+v, %v; want the zero state", s, err)
	}
	want := state{Image: "trixie-1", Compat: "forky-2"}
	want.setFaults("p620", func(f *faults) { *f = faults{Cut: true, Latency: time.Second, Loss: 2.5, Bandwidth: 5} })
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadState(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside it, %v; want none", len(entries)-1, err)
	}
}

func TestFaultsThatAreTakenBackAreForgotten(t *testing.T) {
	var s state
	s.setFaults("razer", func(f *faults) { f.Cut = true })
	s.setFaults("razer", func(f *faults) { f.Cut = false })
	if len(s.Machines) != 0 {
		t.Errorf("left: %+v", s.Machines)
	}
}

func TestBrokenStateSaysWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(path, []byte(`{"image":`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadState(path)
	var labErr *Error
	if !errors.As(err, &labErr) || labErr.Hint() == "" {
		t.Errorf("got %v, want an *Error with a hint", err)
	}
}
