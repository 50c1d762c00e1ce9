package worktree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Options says what Read reads.
type Options struct {
	// Dir is the flake's directory.
	Dir string
	// Cache is a file that keeps what hashing found out for the next time; "" for
	// none. It may be deleted at any time.
	Cache string
}

// Read takes a snapshot of a flake's directory. Errors are *OffError where there
// is nothing that could stand for what Nix sees, or those of the file system and
// of Git.
func Read(ctx context.Context, o Options) (*Tree, error) {
	dir, err := filepath.EvalSymlinks(o.Dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	root, ok := findRoot(dir)
	if !ok && within(dir, o.Cache) {
		// Every run would find a change, and closing a database that was hashed lets go of
		// this process's locks on it (fcntl(2)).
		return nil, off("the flake is in no Git repository, and what is remembered of it would be kept within it: set XDG_STATE_HOME to a directory elsewhere, or make it a repository")
	}
	cache := openCache(o.Cache)
	defer cache.wait()
	var t *Tree
	if ok {
		t, err = readGit(ctx, root, dir, cache, 0)
	} else {
		t, err = readPath(ctx, dir, cache)
	}
	if err != nil {
		return nil, err
	}
	if err := t.readLock(ctx); err != nil {
		return nil, err
	}
	t.readLinks()
	cache.save()
	return t.seal(), nil
}

// findRoot is the nearest directory at or above dir with a .git.
func findRoot(dir string) (string, bool) {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
	}
}

// gitEnv is this process's environment without what points Git elsewhere, as a
// hook's does; Nix looks at the directory itself.
func gitEnv() []string {
	elsewhere := []string{
		"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE",
		"GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR",
		"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
	}
	return slices.DeleteFunc(proc.Environ("LC_ALL=C", "GIT_OPTIONAL_LOCKS=0"), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(elsewhere, name)
	})
}

// git runs Git in a directory and returns what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	return gitWith(ctx, dir, nil, args...)
}

// gitWith is git with something to read.
func gitWith(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	argv := append([]string{"git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"}, args...)
	res, err := proc.Run(ctx, proc.Cmd{Argv: argv, Dir: dir, Env: gitEnv(), Stdin: stdin})
	var pe *proc.Error
	if errors.As(err, &pe) && pe.NotFound() {
		return "", off("git is not installed or not in PATH")
	}
	if pe != nil {
		if _, after, ok := strings.Cut(pe.Stderr, "detected dubious ownership in repository at '"); ok {
			repository, _, _ := strings.Cut(after, "'\n")
			return "", off("Git refuses %s, which belongs to another user (if you trust it: git config --global --add safe.directory '%s')",
				repository, strings.ReplaceAll(repository, "'", `'\''`))
		}
	}
	return string(res.Stdout), err
}

// parallel runs functions at the same time and returns the first error in their
// order; often they have the same.
func parallel(fs ...func() error) error {
	errs := make([]error, len(fs))
	var wg sync.WaitGroup
	for i, f := range fs {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// maxSubmodules bounds how deep submodules are followed into each other.
const maxSubmodules = 8

func readGit(ctx context.Context, root, dir string, cache *statCache, depth int) (*Tree, error) {
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: root, Git: true}
	if rel != "." {
		t.Dir = filepath.ToSlash(rel)
	}
	var status, config string
	err = parallel(
		func() error {
			files, err := git(ctx, root, "ls-files", "-s", "-v", "-z", "--full-name")
			if err == nil {
				err = t.parseIndex(files)
			}
			return err
		},
		func() (err error) {
			status, err = git(ctx, root, "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--no-renames", "-z", "-uno")
			return err
		},
		func() (err error) {
			config, err = gitConfig(ctx, root)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	asked := depth > 0 || t.flakeNames(submodules)
	if err := t.parseStatus(status); err != nil {
		return nil, err
	}
	if asked {
		t.Uncertain = t.Uncertain || slices.ContainsFunc(t.Entries, isSubmodule)
	} else {
		t.Entries = slices.DeleteFunc(t.Entries, isSubmodule)
	}
	if err := t.findGitDirs(); err != nil {
		return nil, err
	}
	if err := t.judgeConfig(config); err != nil {
		return nil, err
	}
	t.judgeAttributes()
	if err := t.hashWorkTree(ctx, cache); err != nil {
		return nil, err
	}
	if !asked {
		return t, nil
	}
	return t, t.followSubmodules(ctx, depth)
}

// gitConfig is what judgeConfig reads.
func gitConfig(ctx context.Context, root string) (string, error) {
	out, err := git(ctx, root, "config", "-z", "--get-regexp",
		`^core\.(autocrlf|attributesfile|filemode|symlinks|ignorestat|checkstat|trustctime|worktree)$`)
	var pe *proc.Error
	if errors.As(err, &pe) && pe.Code == 1 {
		return "", nil // nothing set
	}
	return out, err
}

func isSubmodule(e Entry) bool { return e.Mode == ModeSubmodule }

// parseIndex reads `git ls-files -s -v -z`: TAG MODE ID STAGE<tab>PATH, where
// the tag of an ordinary entry is H.
func (t *Tree) parseIndex(out string) error {
	t.Entries = make([]Entry, 0, strings.Count(out, "\x00"))
	for out != "" {
		record, rest, _ := strings.Cut(out, "\x00")
		out = rest
		head, path, ok := strings.Cut(record, "\t")
		f := strings.Fields(head)
		if !ok || len(f) != 4 {
			return fmt.Errorf("unexpected output of git ls-files: %q", record)
		}
		if f[3] != "0" {
			return off("%s is in conflict; finish the merge", path)
		}
		t.Uncertain = t.Uncertain || f[0] != "H"
		t.Entries = append(t.Entries, Entry{Path: path, Mode: f[1], ID: f[2]})
	}
	// Git sorts by bytes already; paths of an entry and of files in a directory of
	// that name cannot both be there.
	if !slices.IsSortedFunc(t.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) }) {
		slices.SortFunc(t.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	}
	return nil
}

// parseStatus reads `git status --porcelain=v2 --branch -z`: 1 XY SUB MODES… HASHES…
// PATH. A submodule that is new, elsewhere, changed or gone leaves a tree clean to Nix, which
// then reads what is committed of it, also if the flake asks for submodules; it sees a file in
// a submodule's place.
func (t *Tree) parseStatus(out string) error {
	t.edited = map[string]bool{}
	for record := range strings.SplitSeq(out, "\x00") {
		if oid, ok := strings.CutPrefix(record, "# branch.oid "); ok {
			if oid != "(initial)" {
				t.Head = oid
			}
			continue
		}
		if record == "" || strings.HasPrefix(record, "# ") {
			continue
		}
		if f := strings.SplitN(record, " ", 9); len(f) == 9 && f[0] == "1" && len(f[1]) == 2 && strings.HasPrefix(f[2], "S") {
			if f[1][1] == 'T' {
				return off("the submodule %s is a file now", f[8])
			}
			if strings.Trim(f[1], ".MDA") == "" {
				continue
			}
		} else if len(f) == 9 && f[0] == "1" && !strings.HasSuffix(f[1], ".") {
			t.edited[f[8]] = true
		}
		t.Dirty = true
	}
	return nil
}

// findGitDirs finds the repository, and marks a history that is cut short: Nix
// counts revisions.
func (t *Tree) findGitDirs() error {
	t.gitDir = filepath.Join(t.Root, ".git")
	if data, err := os.ReadFile(t.gitDir); err == nil { // of a worktree or submodule
		link, ok := strings.CutPrefix(strings.TrimSpace(string(data)), "gitdir: ")
		if !ok {
			return off("%s is not what Git makes", t.gitDir)
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(t.Root, link)
		}
		t.gitDir = link
	}
	t.commonDir = t.gitDir
	if data, err := os.ReadFile(filepath.Join(t.gitDir, "commondir")); err == nil {
		if t.commonDir = strings.TrimSpace(string(data)); !filepath.IsAbs(t.commonDir) {
			t.commonDir = filepath.Join(t.gitDir, t.commonDir)
		}
	}
	if data, err := os.ReadFile(filepath.Join(t.commonDir, "shallow")); err == nil {
		h := blobHash(40, int64(len(data)))
		h.Write(data)
		t.Head += fmt.Sprintf(" shallow %x", h.Sum(nil))
	}
	return nil
}

// judgeConfig reads `git config -z --get-regexp`: KEY<newline>VALUE.
func (t *Tree) judgeConfig(out string) error {
	attributes := ""
	for record := range strings.SplitSeq(out, "\x00") {
		key, value, _ := strings.Cut(record, "\n")
		no := slices.Contains([]string{"false", "no", "off", "0"}, strings.ToLower(value))
		switch key {
		case "core.worktree":
			if !strings.Contains(t.gitDir, "/modules/") { // of a submodule
				return off("core.worktree is set")
			}
		case "core.attributesfile":
			attributes = value
		case "core.filemode", "core.symlinks", "core.trustctime":
			t.Uncertain = t.Uncertain || no
		case "core.autocrlf", "core.ignorestat":
			t.Uncertain = t.Uncertain || !no
		case "core.checkstat":
			t.Uncertain = t.Uncertain || value != "default"
		}
	}
	home, _ := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(attributes, "~/"); ok {
		attributes = filepath.Join(home, rest)
	}
	if attributes == "" {
		dir := os.Getenv("XDG_CONFIG_HOME")
		if dir == "" {
			dir = filepath.Join(home, ".config")
		}
		attributes = filepath.Join(dir, "git", "attributes")
	}
	for _, file := range []string{attributes, "/etc/gitattributes", filepath.Join(t.commonDir, "info", "attributes")} {
		t.heedAttributes(file)
	}
	return nil
}

// judgeAttributes looks for .gitattributes, tracked or not, beside and above
// every entry, and for what the flake asks of Git itself.
func (t *Tree) judgeAttributes() {
	seen := map[string]bool{}
	look := func(dir string) { t.heedAttributes(filepath.Join(t.Root, dir, ".gitattributes")) }
	look("")
	for _, e := range t.Entries {
		for dir := e.Path; ; {
			i := strings.LastIndexByte(dir, '/')
			if i < 0 {
				break
			}
			if dir = dir[:i]; seen[dir] {
				break
			}
			seen[dir] = true
			look(dir)
		}
	}
	t.Uncertain = t.Uncertain || t.flakeNames(lfs)
}

var (
	lfs        = regexp.MustCompile(`\blfs\b`)
	submodules = regexp.MustCompile(`\bsubmodules\b`)
)

func (t *Tree) flakeNames(word *regexp.Regexp) bool {
	data, err := t.read(t.FlakePath("flake.nix"))
	return err == nil && word.Match(data)
}

// hashWorkTree makes the entries those of the work tree: Nix reads it if it is
// dirty. Where that is not certain, they are of both.
func (t *Tree) hashWorkTree(ctx context.Context, cache *statCache) error {
	stats, err := lstatAll(t.Root, t.Entries)
	if err != nil {
		return err
	}
	digits := 40
	if len(t.Entries) > 0 {
		digits = len(t.Entries[0].ID)
	}
	ids, err := cache.hashAll(t.Root, t.Entries, stats, digits)
	if err != nil {
		return err
	}
	t.heedCarriageReturns()
	if err := t.heedMistakes(ctx, cache.file, stats, ids); err != nil {
		return err
	}
	kept := t.Entries[:0]
	for i, e := range t.Entries {
		mode := stats[i].gitMode()
		switch {
		case e.Mode == ModeSubmodule:
		case stats[i].missing:
			if !t.Uncertain {
				t.gone = append(t.gone, e.Path)
				continue
			}
			e.Mode, e.ID = modeMissing, e.ID+":"
		case mode == ModeDirectory || mode == "":
			return off("%s is tracked, but is not a file any more", e.Path)
		case t.Uncertain && (mode != e.Mode || ids[i] != e.ID):
			e.ID += ":" + ids[i] + " " + e.Mode
			e.Mode = mode
		default:
			e.Mode, e.ID = mode, ids[i]
		}
		kept = append(kept, e)
	}
	t.Entries = kept
	return nil
}

// followSubmodules makes a submodule's entry stand for its contents, if the
// flake asks for submodules at all.
func (t *Tree) followSubmodules(ctx context.Context, depth int) error {
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Mode != ModeSubmodule {
			continue
		}
		if depth == maxSubmodules {
			return off("%s: submodules are nested too deep", e.Path)
		}
		root := filepath.Join(t.Root, e.Path)
		if _, err := os.Lstat(filepath.Join(root, ".git")); err != nil {
			e.ID += ":absent"
			continue
		}
		sub, err := readGit(ctx, root, root, &statCache{}, depth+1)
		if err != nil {
			return err
		}
		e.ID += ":" + sub.seal().fingerprint
	}
	return nil
}
