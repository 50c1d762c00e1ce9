package fleet

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// sources finds out what derivations are made of.
type sources struct {
	inputs nixcmd.InputSources
	// contents and revision are marks of the source tree (worktree.Tree.Marks).
	contents []string
	revision string
}

func (s *recollection) openSources() *sources {
	in := &sources{}
	in.contents, in.revision = s.tree.Marks(s.ctx)
	in.inputs.Texts = slices.Clone(in.contents)
	if in.revision != "" {
		in.inputs.Texts = append(in.inputs.Texts, in.revision)
	}
	return in
}

// observeSources notes the files of the tree whose contents are among the sources of a
// derivation, and whether the tree as a whole is: by flake.nix at its place in one of
// them, or by what the derivation names.
func (s *recollection) observeSources(r *readset.Result, drv nixcmd.StorePath) error {
	known := s.sources()
	sources, held, err := known.inputs.Of(s.ctx, drv)
	if err != nil {
		return err
	}
	r.Whole = slices.ContainsFunc(known.contents, func(mark string) bool { return slices.Contains(held, mark) })
	r.Revision = slices.Contains(held, known.revision)
	r.Marked = known.contents != nil && (!s.tree.Git || known.revision != "")
	sizes, byID, digits := map[int64]bool{}, map[string][]string{}, 40
	for i, e := range s.tree.Entries {
		sizes[s.touched.Sizes[i]] = true
		for id := range strings.SplitSeq(e.ID, ":") {
			id, _, _ = strings.Cut(id, " ")
			byID[id] = append(byID[id], e.Path)
			digits = max(digits, len(id))
		}
	}
	flake := s.tree.FlakePath(flakeName)
	for _, source := range sources {
		if slices.Contains(s.tree.Inputs, string(source)) {
			continue
		}
		err := filepath.WalkDir(string(source), func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if s.ctx.Err() != nil {
				return context.Cause(s.ctx)
			}
			info, err := d.Info()
			if err != nil || !s.tree.Uncertain && !sizes[info.Size()] {
				return err
			}
			id, err := worktree.HashFile(file, digits)
			if err != nil {
				return err
			}
			r.Copied = append(r.Copied, byID[id]...)
			r.Whole = r.Whole || slices.Contains(byID[id], flake) && file == string(source)+"/"+flake
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(r.Copied)
	r.Copied = slices.Compact(r.Copied)
	return nil
}
