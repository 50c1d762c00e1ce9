package readset

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// model is a repository whose evaluation is known exactly: each line of a .nix
// file is a statement of a small part of Nix, which evaluate carries out.
type model struct {
	files  map[string]string
	links  map[string]string // symlinks to directories
	commit int
	day    int
	dirty  bool
	last   *int // the newest commit anywhere
	// loose says that there is no Git, shallow that its history is cut short, unmarked
	// that it is not known what Nix would copy.
	loose, shallow, unmarked bool
}

func (m model) clone() model {
	m.files, m.links = maps.Clone(m.files), maps.Clone(m.links)
	return m
}

func hash(parts ...string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(parts, "\x00"))))[:40]
}

func (m model) tree() *worktree.Tree {
	t := worktree.Tree{Git: true, Head: fmt.Sprint(m.commit), Dirty: m.dirty}
	switch {
	case m.loose:
		t.Git, t.Head, t.Dirty = false, fmt.Sprint(m.day), false
	case m.shallow:
		t.Head += " shallow"
	}
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		t.Entries = append(t.Entries, worktree.Entry{Path: name, Mode: worktree.ModeFile, ID: hash(m.files[name])})
	}
	for link, target := range m.links {
		t.Entries = append(t.Entries, worktree.Entry{Path: link, Mode: worktree.ModeSymlink, ID: hash(target)})
		t.Links = append(t.Links, worktree.Link{Path: link, Target: target})
	}
	slices.SortFunc(t.Entries, func(a, b worktree.Entry) int { return strings.Compare(a.Path, b.Path) })
	return worktree.New(t)
}

// clean says that Nix knows a revision.
func (m model) clean() bool { return !m.dirty && !m.loose }

// revision is self.rev or self.dirtyRev.
func (m model) revision() string {
	if m.loose {
		return "none"
	}
	return fmt.Sprint(m.commit, m.dirty)
}

// narHash is what Nix says of the contents as a whole.
func (m model) narHash() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		all = append(all, name, m.files[name])
	}
	return hash(all...)
}

// real is the path of a file without symlinks.
func (m model) real(name string) string {
	for link, target := range m.links {
		if rest, ok := strings.CutPrefix(name, link+"/"); ok {
			return target + "/" + rest
		}
	}
	return name
}

// evaluation is what one evaluation does.
type evaluation struct {
	m       model
	host    string
	out     []string
	imports map[string]bool
	copied  map[string]bool
	opened  map[string]bool
	whole   bool
	rev     bool // it named the revision
	enabled bool // an option of the input
}

func (m model) evaluate(host string) *evaluation {
	e := &evaluation{m: m, host: host, imports: map[string]bool{}, copied: map[string]bool{}, opened: map[string]bool{}}
	e.file("flake.nix", 0)
	e.input(m.files["flake.lock"])
	return e
}

// input is what the input that the lock pins does with the flake that flake.nix gives
// it, for the host it names.
func (e *evaluation) input(lock string) {
	what, host, _ := strings.Cut(lock, " ")
	what, option := strings.CutSuffix(what, "-option")
	// That no option is as good as another version is assumed, unless derivations show it.
	if host != e.host || option && (!e.enabled || e.m.unmarked) {
		return
	}
	switch what {
	case "any": // self.rev or self.dirtyRev
		e.rev = !e.m.loose
		e.say(e.m.revision())
	case "rev": // self.rev or "dirty"
		if e.rev = e.m.clean(); e.rev {
			e.say(fmt.Sprint(e.m.commit))
		} else {
			e.say("dirty")
		}
	case "clean": // lib.mkIf (self ? rev) self.rev
		if e.rev = e.m.clean(); e.rev {
			e.say(fmt.Sprint(e.m.commit))
		}
	case "hash": // self.narHash
		e.whole = true
		e.say(e.m.narHash())
	}
}

func (e *evaluation) derivation() string { return hash(e.out...) }

func (e *evaluation) say(what ...string) { e.out = append(e.out, strings.Join(what, " ")) }

var statement = regexp.MustCompile(`^(\w+): .*?(\.{1,2}/\S*?)?;(?: # (\w+) (\S+) (\S+))?$`)

func (e *evaluation) read(name string) string {
	text, ok := e.m.files[e.m.real(name)]
	if !ok {
		return "missing"
	}
	e.opened[e.m.real(name)] = true
	return text
}

// below are the files at and below a path.
func (e *evaluation) below(dir string) []string {
	dir = e.m.real(dir)
	var names []string
	for name := range e.m.files {
		if name == dir || dir == "." || strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (e *evaluation) file(name string, depth int) {
	if _, ok := e.m.files[e.m.real(name)+"/default.nix"]; ok {
		name += "/default.nix"
	}
	text, ok := e.m.files[e.m.real(name)]
	if !ok || depth > 6 {
		e.say("no", name)
		return
	}
	// As Nix and the fleet do: by both names.
	e.imports[name], e.imports[e.m.real(name)] = true, true
	for line := range strings.Lines(text) {
		m := statement.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		kind, literal := m[1], m[2]
		at := path.Join(path.Dir(name), strings.TrimSuffix(literal, "${host}"))
		switch kind {
		case "value":
			e.say(line)
		case "import":
			e.file(at, depth+1)
		case "host":
			e.file(path.Join(at, e.host), depth+1)
		case "copy":
			for _, f := range e.below(at) {
				e.copied[f] = true
				e.say("copy", f, e.m.files[f])
			}
		case "read", "slurp", "foreign":
			e.say(kind, at, e.read(at))
		case "key", "part": // the part of a file that is the host's
			for field := range strings.FieldsSeq(e.read(at)) {
				if strings.HasPrefix(field, e.host+"=") {
					e.say(field)
				}
			}
		case "list": // names only
			e.say(e.below(at)...)
		case "choose":
			if strings.Contains(e.read(at), "1") {
				e.file(path.Join(path.Dir(name), m[4]), depth+1)
			} else {
				e.file(path.Join(path.Dir(name), m[5]), depth+1)
			}
		case "revision":
			e.rev = !e.m.loose
			e.say(e.m.revision())
		case "clean":
			e.say(fmt.Sprint(e.m.clean()))
		case "gate": // the revision, if data says so
			if e.m.clean() && strings.Contains(e.read(at), "1") {
				e.rev = true
				e.say(fmt.Sprint(e.m.commit))
			}
		case "hashed": // what no derivation shows
			if e.m.clean() {
				e.say("hash of", fmt.Sprint(e.m.commit))
			}
		case "ifclean":
			if e.m.clean() {
				e.file(at, depth+1)
			}
		case "enable":
			e.enabled = true
		case "date":
			e.say(fmt.Sprint(e.m.day))
		case "place":
			e.whole = true
			e.say(e.m.narHash())
		}
	}
}

// statements are lines of Nix, of which evaluate reads the first word, the path
// and the comment, and Scan everything.
func statements(t *rapid.T, dir string) string {
	rel := func(name string) string {
		up := strings.Repeat("../", strings.Count(dir, "/")+1)
		if dir == "." {
			up = "./"
		}
		return up + name
	}
	nix := rapid.SampledFrom([]string{"modules/common.nix", "modules/opt.nix", "link/opt.nix", "modules", "hosts/a/extra.nix", "hosts/b/extra.nix"})
	data := rapid.SampledFrom([]string{"data/x.json", "data/y.json", "hosts/a/d.txt", "hosts/b/d.txt"})
	read := rapid.OneOf(data, nix) // code as data
	switch rapid.IntRange(0, 15).Draw(t, "statement") {
	default:
		return fmt.Sprintf("value: x = %d;", rapid.IntRange(0, 3).Draw(t, "value"))
	case 1, 2, 3:
		return fmt.Sprintf("import: import %s;", rel(nix.Draw(t, "nix")))
	case 4:
		return fmt.Sprintf("copy: src = %s;", rel(rapid.SampledFrom([]string{"data", "data/x.json", "hosts/a", "hosts/b/d.txt", "modules", "link"}).Draw(t, "copied")))
	case 5:
		return fmt.Sprintf("read: builtins.readFile %s;", rel(read.Draw(t, "read")))
	case 6:
		return fmt.Sprintf("key: (lib.importJSON %s; # . . .", rel(data.Draw(t, "data")))
	case 7:
		return fmt.Sprintf("choose: if lib.fileContents %s; # then %s %s", rel(data.Draw(t, "data")), rel(nix.Draw(t, "then")), rel(nix.Draw(t, "else")))
	case 8:
		return rapid.SampledFrom([]string{
			"enable: input = true;", "hashed: f self.rev;", "ifclean: optional (self ? rev) " + rel(nix.Draw(t, "if clean")) + ";", "gate: self.rev (lib.importJSON " + rel(data.Draw(t, "gate")) + ";",
			"revision: self.rev or self.dirtyRev;", "clean: if self ? rev then 1 else 2;", "date: substring 0 8 self.lastModifiedDate;", "place: toString x;",
		}).Draw(t, "metadata")
	case 9:
		return fmt.Sprintf("list: builtins.readDir %s;", rel(rapid.SampledFrom([]string{"modules", "hosts", "data"}).Draw(t, "listed")))
	case 10:
		return fmt.Sprintf("%s: keyFile = %s;", rapid.SampledFrom([]string{"foreign", "part"}).Draw(t, "foreign"), rel(data.Draw(t, "data")))
	case 11:
		return fmt.Sprintf("slurp: lib.slurp %s;", rel(read.Draw(t, "read")))
	}
}

func content(t *rapid.T, name string) string {
	if name == "flake.lock" {
		return rapid.SampledFrom([]string{"", "", "1", "rev a", "any a", "clean b", "hash b", "any-option a", "hash-option b"}).Draw(t, "locked")
	}
	if !strings.HasSuffix(name, ".nix") {
		return fmt.Sprintf("a=%d b=%d", rapid.IntRange(0, 2).Draw(t, "a"), rapid.IntRange(0, 2).Draw(t, "b"))
	}
	var lines []string
	switch name {
	case "flake.nix":
		lines = append(lines, "host: host ./hosts/${host};", "import: import ./lib/slurp.nix;")
	case "lib/slurp.nix":
		if rapid.Bool().Draw(t, "slurps") {
			return "value: slurp = p: builtins.readFile p;"
		}
		return "value: slurp = null;" // slurp statements are then not generated
	}
	for range rapid.IntRange(0, 3).Draw(t, "lines") {
		lines = append(lines, statements(t, path.Dir(name)))
	}
	return strings.Join(lines, "\n")
}

func allFiles() []string {
	return []string{"README.md", "data/x.json", "data/y.json", "flake.lock", "flake.nix", "hosts/a/d.txt", "hosts/a/default.nix", "hosts/a/extra.nix",
		"hosts/b/d.txt", "hosts/b/default.nix", "hosts/b/extra.nix", "lib/slurp.nix", "modules/common.nix", "modules/default.nix", "modules/opt.nix"}
}

// edit changes the repository as people do.
func (m *model) edit(t *rapid.T, before []model) {
	name := rapid.SampledFrom(allFiles()).Draw(t, "file")
	switch rapid.IntRange(0, 15).Draw(t, "edit") {
	default:
		if _, ok := m.files[name]; ok && name != "lib/slurp.nix" {
			m.files[name], m.dirty = content(t, name), true
		}
	case 0:
		if name != "flake.nix" && name != "flake.lock" && name != "lib/slurp.nix" {
			delete(m.files, name)
			m.dirty = true
		}
	case 1:
		if _, ok := m.files[name]; !ok {
			m.files[name], m.dirty = content(t, name), true
		}
	case 2, 3, 4:
		*m.last++
		m.commit, m.dirty = *m.last, false
		m.day += rapid.IntRange(0, 3).Draw(t, "days") / 3
	case 5: // amend the message
		*m.last++
		m.commit, m.dirty = *m.last, false
	case 7:
		if rapid.IntRange(0, 3).Draw(t, "git") == 0 {
			m.loose = !m.loose
			m.dirty = m.dirty || !m.loose && rapid.Bool().Draw(t, "dirty")
		}
	case 8:
		m.shallow = !m.shallow
	case 6:
		if len(before) > 0 {
			*m = before[rapid.IntRange(0, len(before)-1).Draw(t, "earlier")].clone()
		}
	}
}

// TestPredictionsHold edits a repository again and again, and holds every
// prediction to the evaluation.
func TestPredictionsHold(t *testing.T) {
	avoided, evaluated, needless := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := model{files: map[string]string{}, links: map[string]string{}, last: new(int)}
		for _, name := range allFiles() {
			m.files[name] = content(t, name)
		}
		watched := rapid.Bool().Draw(t, "watched")
		m.unmarked = rapid.IntRange(0, 4).Draw(t, "unmarked") == 0
		if rapid.Bool().Draw(t, "link") {
			m.links["link"] = "modules"
		}
		// What lib.slurp is cannot change unseen: it is in all hosts' imports.
		if !strings.Contains(m.files["lib/slurp.nix"], "readFile") {
			for name, text := range m.files {
				m.files[name] = strings.ReplaceAll(text, "slurp: lib.slurp", "value: x =")
			}
		}
		var before []model
		results, trees := map[string][]*Result{}, map[string]*worktree.Tree{}
		at := func(r *Result) *worktree.Tree { return trees[r.Tree] }
		for range 12 {
			now := m.tree()
			trees[now.Fingerprint()] = now
			for _, host := range []string{"a", "b"} {
				others := func(name string) bool {
					for other, list := range results {
						for _, r := range list {
							if _, ok := r.Imports[name]; ok && other != host {
								return true
							}
						}
					}
					return false
				}
				e := m.evaluate(host)
				hit := false
				for _, r := range results[host] {
					held := r.Holds(now.Fingerprint())
					for _, from := range r.Trees() {
						held = held || Predict(Question{Base: r, From: trees[from], To: now, Imported: others}) == ""
					}
					if !held {
						continue
					}
					if !r.Holds(now.Fingerprint()) {
						r.Same = append(r.Same, now.Fingerprint())
					}
					if hit = true; r.Derivation != e.derivation() {
						var changed []string
						for _, c := range worktree.Changes(at(r), now) {
							changed = append(changed, fmt.Sprintf("%s\n--\n%s", c.Path, m.files[c.Path]))
						}
						t.Fatalf("host %s: wrong, after a change of\n%s\nimports %v\nearned %v, unread %v", host, strings.Join(changed, "\n\n"),
							slices.Sorted(maps.Keys(r.Imports)), r.Earned, r.Unread)
					}
				}
				if hit {
					avoided++
					continue
				}
				evaluated++
				for _, r := range results[host] {
					if r.Derivation == e.derivation() {
						needless++
						break
					}
				}
				r := &Result{Tree: now.Fingerprint(), Shape: now.Shape(), Derivation: e.derivation(), At: time.Now(),
					Imports: map[string]Facts{}, Copied: slices.Sorted(maps.Keys(e.copied)), Whole: e.whole && !m.unmarked, Revision: e.rev, Marked: !m.unmarked}
				for name := range e.imports {
					f := Scan(name, m.files[m.real(name)])
					f.Metadata = f.Metadata || m.unmarked && f.Strings
					r.Imports[name] = f
				}
				if r.Observed = watched && !m.unmarked && rapid.IntRange(0, 9).Draw(t, "unseen") > 0; r.Observed {
					for _, name := range slices.Sorted(maps.Keys(e.opened)) {
						if !e.imports[name] {
							r.Opened = append(r.Opened, name)
						}
					}
				}
				if rapid.IntRange(0, 9).Draw(t, "cached") == 0 {
					r.Hidden, r.Imports, r.Copied, r.Whole, r.Revision, r.Marked, r.Observed, r.Opened = "from Nix's cache", nil, nil, false, false, false, false, nil
				} else {
					r.Own = Own(r.Imports, now)
				}
				Learn(results[host], r, at, others)
				results[host] = append([]*Result{r}, results[host]...)
			}
			before = append(before, m.clone())
			m.edit(t, before)
			if !strings.Contains(m.files["lib/slurp.nix"], "readFile") {
				for name, text := range m.files {
					m.files[name] = strings.ReplaceAll(text, "slurp: lib.slurp", "value: x =")
				}
			}
		}
	})
	t.Logf("%d predictions held; %d evaluations, %d of them for what an earlier one gave", avoided, evaluated, needless)
	if avoided == 0 {
		t.Error("nothing was ever predicted")
	}
}
