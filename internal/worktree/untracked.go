package worktree

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
)

// Untracked lists the files of a flake's repository that Git neither tracks nor
// ignores, and that Nix therefore does not see, relative to the repository's root;
// nil outside of Git. A repository in the repository is one path, with a slash at
// its end. flake is the flake's directory, relative to the root; "" for that itself.
func Untracked(ctx context.Context, dir string) (files []string, flake string, err error) {
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, "", err
	}
	root, ok := findRoot(dir)
	if !ok {
		return nil, "", nil
	}
	out, err := git(ctx, root, "ls-files", "--others", "--exclude-standard", "-z")
	if err != nil {
		return nil, "", err
	}
	if flake, err = filepath.Rel(root, dir); err != nil {
		return nil, "", err
	}
	if flake = filepath.ToSlash(flake); flake == "." {
		flake = ""
	}
	files = strings.Split(out, "\x00")
	return slices.DeleteFunc(files, func(name string) bool { return name == "" }), flake, nil
}
