package fleet

import (
	"os"
	"path/filepath"
	"syscall"
)

// copyNote is a file that says that a copy to or from a machine is under way: it has the copy's
// mark for its name, and is locked for as long as this process lives and copies. One that nobody
// has locked is of a copy that was cut off, of which the Nix over there may not know. nil
// is no note: a copy goes without one where none can be made.
type copyNote struct{ file *os.File }

func (f *Fleet) copyNotes(machine string) string {
	return filepath.Join(f.stateDir, "copies", f.Inventory.id(), machine)
}

// noteCopy makes the note of a copy that begins.
func (f *Fleet) noteCopy(machine, mark string) *copyNote {
	if f.stateDir == "" || os.MkdirAll(f.copyNotes(machine), 0o700) != nil {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(f.copyNotes(machine), mark), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil
	}
	n := &copyNote{file}
	if !n.lock() {
		n.leave()
		return nil
	}
	return n
}

// cutOff are the notes of copies that nobody makes any more. Each must be left or removed.
func (f *Fleet) cutOff(machine string) (notes []*copyNote) {
	if f.stateDir == "" {
		return nil
	}
	entries, _ := os.ReadDir(f.copyNotes(machine))
	for _, e := range entries {
		file, err := os.OpenFile(filepath.Join(f.copyNotes(machine), e.Name()), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if n := (&copyNote{file}); n.lock() {
			notes = append(notes, n)
		} else {
			n.leave()
		}
	}
	return notes
}

func (n *copyNote) lock() bool {
	return syscall.Flock(int(n.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func (n *copyNote) mark() string { return filepath.Base(n.file.Name()) }

// leave lets another run see to what the copy may have left.
func (n *copyNote) leave() {
	if n != nil {
		_ = n.file.Close()
	}
}

// remove is for a copy that has left nothing.
func (n *copyNote) remove() {
	if n != nil {
		_ = os.Remove(n.file.Name())
		_ = n.file.Close()
	}
}
