package fleet

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// absent is what Nix says of a file that the flake does not have.
var absent = regexp.MustCompile(`^[Pp]ath '([^']+)' (?:does not exist|in the repository)`)

// explainAbsent says why a file is on the disk and not in the flake, if it is in a
// submodule: of that neither Nix nor warnOfUntracked speaks.
func (s *recollection) explainAbsent(err error) error {
	var failed *nixcmd.EvalError
	if s.tree == nil || !s.tree.Git || !errors.As(err, &failed) {
		return err
	}
	m := absent.FindStringSubmatch(failed.Message)
	if m == nil || !filepath.IsLocal(m[1]) {
		return err
	}
	is := func(name string) bool {
		_, err := os.Lstat(filepath.Join(s.tree.Root, name))
		return err == nil
	}
	if !is(m[1]) {
		return err
	}
	for dir := path.Dir(m[1]); dir != "."; dir = path.Dir(dir) {
		if _, seen := s.tree.Find(dir); is(dir+"/.git") && !seen {
			return &hintedError{err, dir + " is a repository of its own, which the flake does not see: if it is a submodule, inputs.self.submodules = true in flake.nix changes that (Nix 2.27)"}
		}
	}
	return err
}
