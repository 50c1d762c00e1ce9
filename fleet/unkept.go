package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// unkept is the error for state that cannot be kept.
func (f *Fleet) unkept(what string, err error) error {
	return &hintedError{fmt.Errorf("cannot keep %s: %w", what, err), f.wayOut(err)}
}

// wayOut says what to do about state that cannot be kept because of err.
func (f *Fleet) wayOut(err error) string {
	way, that := "make "+f.stateDir+" writable", "is"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		way, that = "make room in "+f.stateDir, "has room"
	}
	if f.stateGiven { // by what this is part of, which knows where
		return way
	}
	return way + ", or set XDG_STATE_HOME to a directory that " + that
}

// newRoot is rootLink for one that is about to lead to a system; "" if it does, and
// could not be made. Nix says of a link that cannot be made neither what it is for nor
// what to do.
func (f *Fleet) newRoot(h Host, toplevel nixcmd.StorePath) (string, error) {
	link, err := f.rootLink(h)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(link)
	const change = 2 | 1 // W_OK | X_OK, access(2)
	if err := syscall.Access(dir, change); err != nil {
		if target, _ := os.Readlink(link); target == string(toplevel) {
			return "", nil
		}
		return "", f.unkept("the built system", &fs.PathError{Op: "write to", Path: dir, Err: err})
	}
	return link, nil
}

// warnOfLoss says once in a run that what it learnt could not be kept: nothing is
// wrong, but the next will take as long.
func (s *recollection) warnOfLoss() {
	s.learning.Lock()
	err := s.learning.lost
	s.learning.Unlock()
	if err != nil {
		s.fleet.emit(Event{Time: time.Now(), Step: StepEvaluate, Kind: KindWarning, Text: fmt.Sprintf(
			"what was learnt from evaluating cannot be kept, so the next run will evaluate again: %v; %s", err, s.fleet.wayOut(err))})
	}
}
