package lab

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is what cannot be read from the running lab: which images it stands on
// and which faults were asked for.
type state struct {
	Image    string            `json:"image"`
	Compat   string            `json:"compat_image,omitempty"`
	Machines map[string]faults `json:"machines,omitempty"`
}

// faults are put back when a machine is powered on.
type faults struct {
	Cut       bool          `json:"cut,omitempty"`
	Latency   time.Duration `json:"latency_ns,omitempty"`
	Loss      float64       `json:"loss_percent,omitempty"`
	Bandwidth int64         `json:"bandwidth_bits_per_second,omitempty"`
}

// loadState reads a lab's record; there is none before its first Up, which is
// the zero state.
func loadState(path string) (state, error) {
	var s state
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return state{}, &Error{Op: "read " + path, Err: err, Fix: "take the lab down and bring it up again"}
	}
	return s, nil
}

func (s state) save(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFileAtomic(path, append(data, '\n'))
}

func (s *state) setFaults(machine string, change func(*faults)) {
	f := s.Machines[machine]
	change(&f)
	if s.Machines == nil {
		s.Machines = make(map[string]faults)
	}
	if f == (faults{}) {
		delete(s.Machines, machine)
		return
	}
	s.Machines[machine] = f
}

// writeFileAtomic leaves either the old or the whole new content.
func writeFileAtomic(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already if renamed
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
