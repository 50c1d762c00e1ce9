package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// History is a file of records, a line of JSON each, oldest first. Several
// processes may use it at the same time.
type History struct {
	// Path is the file; its directory must exist. A second file beside it, with
	// ".lock" added to the name, says who is at it.
	Path string
}

// Kept is how many records a history keeps; the oldest go first.
const Kept = 200

// Read returns the records, and how many lines were passed over because they hold
// none that can be understood: those of an interrupted write, or of another
// version. A file that is not there is empty.
func (h History) Read() (records []Record, skipped int, err error) {
	unlock, err := h.lock()
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	lines, err := h.lines()
	for _, l := range lines {
		var r Record
		if json.Unmarshal(l, &r) != nil || r.V != recordVersion {
			skipped++
			continue
		}
		records = append(records, r)
	}
	return records, skipped, err
}

// Add appends a record. The file is only the user's (0600).
func (h History) Add(r Record) error {
	r.V = recordVersion
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	unlock, err := h.lock()
	if err != nil {
		return err
	}
	defer unlock()
	lines, err := h.lines()
	if err != nil {
		return err
	}
	lines = append(lines, line)
	// Written anew and put in place in one step, so that no interruption loses
	// what was there.
	tmp, err := os.CreateTemp(filepath.Dir(h.Path), ".history-*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(bytes.Join(lines[max(0, len(lines)-Kept):], []byte("\n")), '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), h.Path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep the result: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// lines are the file's lines that are not empty.
func (h History) lines() ([][]byte, error) {
	text, err := os.ReadFile(h.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var lines [][]byte
	for l := range bytes.Lines(text) {
		if l = bytes.TrimSpace(l); len(l) > 0 {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// lock waits until no other process is at the file; the time that one takes is
// that of reading and writing it.
func (h History) lock() (unlock func(), err error) {
	f, err := os.OpenFile(h.Path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which gives the lock back
}
