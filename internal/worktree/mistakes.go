package worktree

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// heedMistakes notes that Git takes files for unchanged that are not, as what a filter has
// put there that is gone: Git goes by their times. So does Nix, which takes a tree that it has
// read before for the same if the commit is, and the files that it sees to differ from that
// are (seen with 2.26: TestRealSoak, world filters, seed 13008). What it gives at such a commit depends on
// what was there when it first looked, now and later on.
func (t *Tree) heedMistakes(ctx context.Context, cache string, stats []stat, ids []string) error {
	for i, e := range t.Entries {
		if e.Mode == ModeSubmodule || stats[i].missing || t.edited[e.Path] || stats[i].gitMode() == e.Mode && ids[i] == e.ID {
			continue
		}
		// It may have been edited since Git was asked.
		status, err := git(ctx, t.Root, "status", "--porcelain", "-z", "-uno", "--", ":(literal)"+e.Path)
		if err != nil {
			return err
		}
		if status != "" {
			t.Dirty = true
			continue
		}
		noteMistake(cache, t.Head)
		t.Uncertain = t.Uncertain || t.autoText
		if !t.Uncertain {
			t.Doubt = fmt.Sprintf("Git takes %s for unchanged, which it is not (after a filter is gone, git add --renormalize . and a commit end that)", e.Path)
		}
		return nil
	}
	if !t.Uncertain && Mistaken(cache, t.Head) {
		t.Doubt = DoubtOfCommit
	}
	return nil
}

// DoubtOfCommit is the Doubt of a commit that is Mistaken.
const DoubtOfCommit = "at this commit Git has taken files for unchanged that were not, and Nix may go on with those (the next commit ends that)"

// Mistaken reports whether Git has taken files for unchanged at a commit that were not, as far as
// trees have been read with that cache.
func Mistaken(cache, commit string) bool { return slices.Contains(mistakes(cache), commit) }

func mistakes(cache string) []string {
	if cache == "" {
		return nil
	}
	data, err := os.ReadFile(mistakesFile(cache))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func mistakesFile(cache string) string { return filepath.Join(filepath.Dir(cache), "mistaken") }

// noteMistake remembers a commit, the last thousand at the most.
func noteMistake(cache, commit string) {
	list := mistakes(cache)
	if cache == "" || commit == "" || slices.Contains(list, commit) {
		return
	}
	list = append(list, commit)
	replace(mistakesFile(cache), []byte(strings.Join(list[max(0, len(list)-1000):], "\n")+"\n"))
}
