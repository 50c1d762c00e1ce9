package worktree

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// lockFile is what is needed of flake.lock (Nix manual, "nix flake", "Lock
// files").
type lockFile struct {
	Root  string              `json:"root"`
	Nodes map[string]lockNode `json:"nodes"`
}

type lockNode struct {
	Locked *struct {
		Type    string `json:"type"`
		Path    string `json:"path"`
		URL     string `json:"url"`
		Rev     string `json:"rev"`
		NarHash string `json:"narHash"`
	} `json:"locked"`
	// Parent is the path to the input that a relative path is relative to.
	Parent []string `json:"parent"`
}

// A flake whose outputs take nothing but the flake itself cannot have inputs;
// one that takes whatever comes has none if it does not speak of any.
var (
	comments      = regexp.MustCompile(`(?m)#.*$`)
	takesNothing  = regexp.MustCompile(`\boutputs\s*=\s*\{\s*self\s*\}\s*:`)
	takesWhatever = regexp.MustCompile(`\boutputs\s*=\s*(\{\s*self\s*,\s*\.\.\.\s*\}|_|self)\s*:`)
)

// overSSH are the addresses that Git fetches by ssh (git-fetch(1), "GIT URLS").
var overSSH = regexp.MustCompile(`^(?:[a-z]+\+)?ssh://|^[^/:]+:[^/]`)

// readLock finds inputs that are directories, and refuses what Nix may resolve
// to something else the next time.
func (t *Tree) readLock(ctx context.Context) error {
	name := t.FlakePath("flake.lock")
	if e, ok := t.Find(name); !ok || strings.HasSuffix(e.ID, ":") {
		text, err := t.read(t.FlakePath("flake.nix"))
		if err != nil {
			return err
		}
		if takesNothing.Match(comments.ReplaceAll(text, nil)) || takesWhatever.Match(text) && !strings.Contains(string(text), "inputs") {
			return nil
		}
		return off("the flake has no flake.lock that Nix sees")
	}
	data, err := t.read(name)
	if err != nil {
		return err
	}
	var lock lockFile
	if err := json.Unmarshal(data, &lock); err != nil {
		return &OffError{Reason: "flake.lock cannot be read", Err: err}
	}
	for input, node := range lock.Nodes {
		l := node.Locked
		if l != nil && l.NarHash != "" {
			text, isSHA256 := strings.CutPrefix(l.NarHash, "sha256-")
			if sum, err := base64.StdEncoding.DecodeString(text); isSHA256 && err == nil {
				t.Inputs = append(t.Inputs, sourcePath(sum))
				if overSSH.MatchString(l.URL) {
					t.OverSSH = append(t.OverSSH, sourcePath(sum))
				}
			}
		}
		switch {
		case input == lock.Root && l == nil:
		case l == nil:
			return off("the input %s is not locked", input)
		case l.Type == "path" && !filepath.IsAbs(l.Path):
			if len(node.Parent) > 0 {
				continue // below another input
			}
			sub := path.Join(t.Dir, l.Path)
			if sub == ".." || strings.HasPrefix(sub, "../") {
				return off("the input %s is outside of the flake's source tree", input)
			}
			if sub == "." { // the whole tree: "path:.." of a flake in a subdirectory
				sub = ""
			}
			t.Subflakes = append(t.Subflakes, sub)
		case l.Type == "path":
			if err := t.readOutside(ctx, l.Path); err != nil {
				return err
			}
		case slices.Contains([]string{"git", "hg", "github", "gitlab", "sourcehut"}, l.Type) && l.Rev == "", l.Type == "indirect", l.NarHash == "":
			return off("the input %s is not locked", input)
		}
	}
	slices.Sort(t.Subflakes)
	slices.SortFunc(t.Outside, func(a, b Outside) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

func (t *Tree) readOutside(ctx context.Context, dir string) error {
	if strings.HasPrefix(dir, "/nix/store/") {
		return nil
	}
	if slices.ContainsFunc(t.Outside, func(o Outside) bool { return o.Path == dir }) {
		return nil
	}
	id := "absent"
	outside, err := readPath(ctx, dir, &statCache{})
	switch {
	case errors.Is(err, fs.ErrNotExist): // what was locked may be in the store
	case err != nil:
		return err
	default:
		id = outside.seal().fingerprint
	}
	t.Outside = append(t.Outside, Outside{dir, id})
	return nil
}

// sourcePath is where Nix keeps a source whose archive has that SHA-256 (Nix
// manual, "Complete Store Path Calculation").
func sourcePath(sum []byte) string {
	const dir = "/nix/store"
	whole := sha256.Sum256(fmt.Appendf(nil, "source:sha256:%x:%s:source", sum, dir))
	var short [20]byte
	for i, b := range whole {
		short[i%len(short)] ^= b
	}
	const digits = "0123456789abcdfghijklmnpqrsvwxyz"
	var name strings.Builder
	for n := len(short)*8/5 - 1; n >= 0; n-- {
		i, j := n*5/8, n*5%8
		c := short[i] >> j
		if i+1 < len(short) {
			c |= short[i+1] << (8 - j)
		}
		name.WriteByte(digits[c&0x1f])
	}
	return dir + "/" + name.String() + "-source"
}

func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
}
