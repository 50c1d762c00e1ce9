package readset

import (
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// What is read is named though files came or went besides, which nobody may read.
func TestTouchedBesideOtherPaths(t *testing.T) {
	tree := func(files ...string) *worktree.Tree {
		tree := worktree.Tree{Git: true, Head: "x"}
		for _, f := range slices.Sorted(slices.Values(files)) {
			name, id, _ := strings.Cut(f, "=")
			tree.Entries = append(tree.Entries, worktree.Entry{Path: name, Mode: worktree.ModeFile, ID: id})
		}
		return worktree.New(tree)
	}
	from := tree("a.nix=1", "flake.nix=1", "motd=1", "notes=1")
	r := &Result{Imports: map[string]Facts{"a.nix": {Paths: []string{"motd"}, Read: []string{"motd"}}, "flake.nix": {}}}
	for want, to := range map[string]*worktree.Tree{
		"motd changed":                              tree("a.nix=1", "flake.nix=1", "motd=2", "notes=2"),
		"new was added":                             tree("a.nix=1", "flake.nix=1", "motd=1", "notes=2", "new=1"),
		"motd changed, and new was added":           tree("a.nix=1", "flake.nix=1", "motd=2", "notes=2", "new=1"),
		"motd and notes were removed and new added": tree("a.nix=1", "flake.nix=1", "new=1"),
		"a.nix changed, and notes was removed":      tree("a.nix=2", "flake.nix=1", "motd=2"),
		"flake.nix changed":                         tree("a.nix=1", "flake.nix=2", "motd=1", "notes=1"),
		"a.nix changed, and flake.nix changed":      tree("a.nix=2", "flake.nix=2", "motd=1", "notes=1"),
	} {
		if got := Touched(Question{Base: r, From: from, To: to, Imported: func(string) bool { return false }}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	r.Hidden = "what it reads is not known"
	if got := Touched(Question{Base: r, From: from, To: tree("a.nix=2", "flake.nix=1", "motd=2")}); got != "notes was removed" {
		t.Errorf("hidden: %q", got)
	}
}

// What became of a file is said, and not that it changed, where its contents did not.
func TestReshapedSaysHow(t *testing.T) {
	file, exec, link := worktree.ModeFile, worktree.ModeExecutable, worktree.ModeSymlink
	tree := func(entries ...worktree.Entry) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Entries: entries})
	}
	was := func(name, mode string) worktree.Entry { return worktree.Entry{Path: name, Mode: mode, ID: "1"} }
	is := func(name, mode string) worktree.Entry { return worktree.Entry{Path: name, Mode: mode, ID: "2"} }
	for want, c := range map[string][2][]worktree.Entry{
		"a became executable":                   {{was("a", file)}, {was("a", exec)}},
		"a changed and became executable":       {{was("a", file)}, {is("a", exec)}},
		"a is no longer executable":             {{was("a", exec)}, {was("a", file)}},
		"a changed and is no longer executable": {{was("a", exec)}, {is("a", file)}},
		"a is a symlink now":                    {{was("a", exec)}, {is("a", link)}},
		"a leads elsewhere":                     {{was("a", link)}, {is("a", link)}},
		"a is no longer a symlink":              {{was("a", link)}, {is("a", file)}},
		"a is of another kind now":              {{was("a", file)}, {is("a", worktree.ModeSubmodule)}},
		"flake.nix changed":                     {{was("flake.nix", file)}, {is("flake.nix", file)}},
		"flake.nix became executable":           {{was("flake.nix", file)}, {was("flake.nix", exec)}},
		"a and b are no longer executable":      {{was("a", exec), was("b", exec)}, {was("a", file), was("b", file)}},
		"a and 2 more lead elsewhere":           {{was("a", link), was("b", link), was("c", link)}, {is("a", link), is("b", link), is("c", link)}},
		"a and b are symlinks now":              {{was("a", file), was("b", file)}, {is("a", link), is("b", link)}},
		"a became executable, and b leads elsewhere, and flake.nix changed": {
			{was("a", file), was("b", link), was("flake.nix", file)}, {was("a", exec), is("b", link), is("flake.nix", file)}},
	} {
		r := &Result{Imports: map[string]Facts{"flake.nix": {}}}
		if got := Predict(Question{Base: r, From: tree(c[0]...), To: tree(c[1]...)}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A host whose derivation named the place of the source depends on every file as
// long as it does. Once it does not, and has changed besides, it is as before.
func TestPlaceThatIsNamedNoMore(t *testing.T) {
	var results []*Result
	trees := map[string]*worktree.Tree{}
	at := func(r *Result) *worktree.Tree { return trees[r.Tree] }
	nobody := func(string) bool { return false }
	state := func(a, notes string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: []worktree.Entry{
			{Path: "a.nix", Mode: worktree.ModeFile, ID: a}, {Path: "notes", Mode: worktree.ModeFile, ID: notes},
		}})
	}
	evaluate := func(a, notes, derivation string, whole bool) {
		tree := state(a, notes)
		r := &Result{Tree: tree.Fingerprint(), Shape: tree.Shape(), Derivation: derivation, Whole: whole, Marked: true, Imports: map[string]Facts{"a.nix": {}}}
		r.Own = Own(r.Imports, tree)
		trees[r.Tree] = tree
		Learn(results, r, at, nobody)
		results = append([]*Result{r}, results...)
	}
	predict := func(a, notes string) string {
		return Predict(Question{Base: results[0], From: at(results[0]), To: state(a, notes), Imported: nobody})
	}
	evaluate("1", "1", "one", false)
	evaluate("1", "2", "one", false)
	if why := predict("1", "3"); why != "" {
		t.Errorf("before: %s", why)
	}
	evaluate("2", "3", "two", true)
	evaluate("2", "4", "three", true)
	if why := predict("2", "5"); why != "notes changed, and it holds the flake's source" {
		t.Errorf("%q", why)
	}
	// Also if all that it copies for that is there by name; not if it is for another reason.
	results[0].Copied = []string{"a.nix", "notes"}
	if why := predict("2", "5"); why != "notes changed, and it holds the flake's source" {
		t.Errorf("%q", why)
	}
	if why := predict("3", "5"); why != "a.nix and notes changed" {
		t.Errorf("%q", why)
	}
	results[0].Opened = []string{"notes"}
	if why := predict("2", "5"); why != "notes changed" {
		t.Errorf("%q", why)
	}
	results[0].Opened = nil
	evaluate("3", "5", "four", false)
	if why := predict("3", "6"); why != "" {
		t.Errorf("after: %s", why)
	}
}

// Where Nix may read the index or the work tree, what is staged shows nothing of what
// the contents as a whole are to the host.
func TestStagedEarnsNothing(t *testing.T) {
	state := func(id string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Uncertain: true, Entries: []worktree.Entry{
			{Path: "a.nix", Mode: worktree.ModeFile, ID: "a"}, {Path: "notes", Mode: worktree.ModeFile, ID: id},
		}})
	}
	trees := map[string]*worktree.Tree{}
	result := func(tree *worktree.Tree) *Result {
		trees[tree.Fingerprint()] = tree
		r := &Result{Tree: tree.Fingerprint(), Shape: tree.Shape(), Derivation: "one", Imports: map[string]Facts{"a.nix": {Metadata: true}}}
		r.Own = Own(r.Imports, tree)
		return r
	}
	nobody := func(string) bool { return false }
	for second, want := range map[string]string{
		"2":          "notes changed, and whether it uses the flake's own hash is not known yet",
		"1:3 100644": "",
	} {
		edited, next := state("1:2 100644"), state(second)
		e, r := result(edited), result(next)
		Learn([]*Result{e}, r, func(r *Result) *worktree.Tree { return trees[r.Tree] }, nobody)
		if why := Predict(Question{Base: r, From: next, To: state("1:4 100644"), Imported: nobody}); why != want {
			t.Errorf("after %s: %q, want %q", second, why, want)
		}
	}
}

// Behind filters Nix may read the index in one run, and the work tree in the next.
func TestCleanBehindFilters(t *testing.T) {
	for _, c := range []struct {
		dirty, uncertain bool
		mode, id         string
		want             bool
	}{
		{false, true, worktree.ModeFile, "1", true},
		{false, true, worktree.ModeFile, "1:2 100644", false},
		{true, true, worktree.ModeFile, "1:2 100644", true},
		{false, true, worktree.ModeSubmodule, "1:2", true},
		{false, false, worktree.ModeFile, "1", true},
	} {
		tree := worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: c.dirty, Uncertain: c.uncertain,
			Entries: []worktree.Entry{{Path: "a", Mode: c.mode, ID: c.id}}})
		var r Result
		if r.HoldsFor(tree) {
			t.Errorf("%+v: holds for another tree", c)
		}
		if r.Tree = tree.Fingerprint(); r.HoldsFor(tree) != c.want {
			t.Errorf("%+v: %v", c, r.HoldsFor(tree))
		}
	}
}

// That only dirty trees are compared is put down to what it is due to.
func TestUncertainSaysWhy(t *testing.T) {
	r := &Result{Imports: map[string]Facts{"flake.nix": {}}}
	tree := func(mode, id string, dirty bool) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: dirty, Uncertain: true, Entries: []worktree.Entry{
			{Path: "flake.nix", Mode: worktree.ModeFile, ID: "1"}, {Path: "sub", Mode: mode, ID: id},
		}})
	}
	for mode, want := range map[string]string{
		worktree.ModeSubmodule: "sub changed, and with submodules only dirty trees are compared",
		worktree.ModeFile:      "sub changed, and files go through filters of Git, or its flags hide them",
	} {
		q := Question{Base: r, From: tree(mode, "1", true), To: tree(mode, "2", false), Imported: func(string) bool { return false }}
		if got := Predict(q); got != want {
			t.Errorf("%s: %q", mode, got)
		}
	}
}

// A file may be imported only if the tree is clean: what was imported in a dirty one is
// not all that counts in a clean one of which that is not known.
func TestHiddenResultOfACleanTree(t *testing.T) {
	state := func(head string, dirty bool, notes, x string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: head, Dirty: dirty, Entries: []worktree.Entry{
			{Path: "a.nix", Mode: worktree.ModeFile, ID: "a"}, {Path: "notes", Mode: worktree.ModeFile, ID: notes}, {Path: "x.nix", Mode: worktree.ModeFile, ID: x},
		}})
	}
	trees := map[string]*worktree.Tree{}
	result := func(tree *worktree.Tree, hidden string) *Result {
		trees[tree.Fingerprint()] = tree
		r := &Result{Tree: tree.Fingerprint(), Shape: tree.Shape(), Derivation: "one", Hidden: hidden, Marked: true}
		if hidden == "" { // (self ? rev) ./x.nix
			r.Imports = map[string]Facts{"a.nix": {Paths: []string{"x.nix"}, Metadata: true}}
			r.Own = Own(r.Imports, tree)
		}
		return r
	}
	at := func(r *Result) *worktree.Tree { return trees[r.Tree] }
	imported := func(file string) bool { return file == "x.nix" } // by another host
	first := result(state("1", false, "1", "1"), "from a cache")
	r := result(state("1", true, "2", "1"), "")
	Learn([]*Result{first}, r, at, imported)
	second := result(state("2", false, "2", "1"), "from a cache")
	Learn([]*Result{r, first}, second, at, imported)
	for _, from := range r.Trees() {
		if why := Predict(Question{Base: r, From: trees[from], To: state("3", false, "2", "2"), Imported: imported}); why == "" {
			t.Error("a clean tree with another x.nix is taken to be the same")
		}
	}
}

// What was found to matter to a host has to be shown anew once other files may be why.
func TestWhatMatteredIsEarnedAnew(t *testing.T) {
	state := func(a, notes string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: []worktree.Entry{
			{Path: "a.nix", Mode: worktree.ModeFile, ID: a}, {Path: "notes", Mode: worktree.ModeFile, ID: notes},
		}})
	}
	nobody := func(string) bool { return false }
	trees := map[string]*worktree.Tree{}
	var results []*Result
	evaluate := func(a, notes, derivation string) {
		tree := state(a, notes)
		r := &Result{Tree: tree.Fingerprint(), Shape: tree.Shape(), Derivation: derivation, Marked: true, Imports: map[string]Facts{"a.nix": {}}}
		r.Own = Own(r.Imports, tree)
		trees[r.Tree] = tree
		Learn(results, r, func(r *Result) *worktree.Tree { return trees[r.Tree] }, nobody)
		results = append([]*Result{r}, results...)
	}
	predict := func(a, notes string) string {
		return Predict(Question{Base: results[0], From: trees[results[0].Tree], To: state(a, notes), Imported: nobody})
	}
	const unknown = "notes changed, and whether it uses the flake's own hash is not known yet"
	evaluate("1", "1", "one")
	evaluate("1", "2", "one") // earned
	evaluate("2", "2", "two") // an option is set, of which nothing is seen
	evaluate("2", "3", "three")
	if why := predict("2", "4"); why != unknown {
		t.Errorf("burnt: %q", why)
	}
	evaluate("3", "3", "four")
	if why := predict("3", "4"); why != unknown {
		t.Errorf("after a change of its own: %q", why)
	}
	evaluate("3", "4", "four")
	if why := predict("3", "5"); why != "" {
		t.Errorf("earned anew: %q", why)
	}
}

// A host that may use dates is evaluated for what changed, and that the revision did is said
// only if so.
func TestDatesSayWhy(t *testing.T) {
	r := &Result{Imports: map[string]Facts{"flake.nix": {Dates: true}}}
	tree := func(head, id string, dirty bool) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: head, Dirty: dirty, Entries: []worktree.Entry{
			{Path: "flake.nix", Mode: worktree.ModeFile, ID: "1"}, {Path: "notes", Mode: worktree.ModeFile, ID: id},
		}})
	}
	for want, to := range map[string]*worktree.Tree{
		"notes changed, and it may use the flake's date":                 tree("x", "2", true),
		"the revision changed, whose date it may use":                    tree("y", "1", false),
		"notes changed, and the revision changed, whose date it may use": tree("y", "2", false),
	} {
		if got := Predict(Question{Base: r, From: tree("x", "1", false), To: to, Imported: func(string) bool { return false }}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is read by a name that is put together is read whatever earlier evaluations showed: a host
// may pick its part of it.
func TestReadByNameThatIsPutTogether(t *testing.T) {
	state := func(id string) *worktree.Tree {
		var entries []worktree.Entry
		for _, name := range []string{"data/hosts.json", "data/hosts.yml", "hosts/a/x.nix", "hosts/b/keys"} {
			e := worktree.Entry{Path: name, Mode: worktree.ModeFile, ID: id}
			if name == "hosts/a/x.nix" {
				e.ID = ""
			}
			entries = append(entries, e)
		}
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: entries})
	}
	for text, want := range map[string]string{
		`(__fromJSON (__readFile (../../data + "/hosts.json"))).a`:     "data/hosts.json and data/hosts.yml changed",
		`readFile (../../data/hosts + ".yml")`:                         "data/hosts.json and data/hosts.yml changed",
		`let p = ../../data/hosts; in readFile (p + ".yml")`:           "data/hosts.json and data/hosts.yml changed",
		`map (n: __readFile (../b + "/${n}")) (attrNames (readDir x))`: "hosts/b/keys changed",
		`readFile (./. + "/../b/keys")`:                                "data/hosts.json and 2 more changed",
		`let h = "../b"; in readFile ./${h}/keys`:                      "data/hosts.json and 2 more changed",
		`unsafeDiscardStringContext "${../b}/keys"`:                    "hosts/b/keys changed",
		`load readFile ../../data/hosts ".yml"`:                        "data/hosts.json and data/hosts.yml changed",
		`hardware.facter.reportPath = ../../data + "/hosts.json"`:      "data/hosts.json and data/hosts.yml changed",
		`importNpmLock { npmRoot = ../../data; }`:                      "data/hosts.json and data/hosts.yml changed",
		`builtins.${"read" + "File"} ../b/keys`:                        "data/hosts.json and 2 more changed, and it uses getFlake, or builtins by names that are put together",
		`readFile ../../data/hosts`:                                    "",
	} {
		from, to := state("1"), state("2")
		r := &Result{Imports: map[string]Facts{"hosts/a/x.nix": Scan("hosts/a/x.nix", text)}, Earned: map[Step]Ways{Dirty: {Contents: true}},
			Unread: []string{"data/hosts.json", "data/hosts.yml", "hosts/b/keys"}}
		if got := Predict(Question{Base: r, From: from, To: to, Imported: func(string) bool { return false }}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A file of which code of inputs may read a part, and code of which the flake's own may, is read
// whatever earlier evaluations showed.
func TestReadInPart(t *testing.T) {
	state := func(id string) *worktree.Tree {
		var entries []worktree.Entry
		for _, name := range []string{"app/.gitignore", "hosts/b/x.nix", "vars/b/value"} {
			entries = append(entries, worktree.Entry{Path: name, Mode: worktree.ModeFile, ID: id})
		}
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: entries})
	}
	for text, want := range map[string]string{
		"imports = [ inputs.clan-core.flakeModules.default ];": "app/.gitignore and vars/b/value changed",
		"src = nix-gitignore.gitignoreSource [ ] ./app;":       "app/.gitignore changed",
		"src = ./app;": "",
		"map (n: head (splitString x (readFile (f n)))) (readDir ./hosts)": "hosts/b/x.nix changed",
		"map (n: readFile (f n)) (readDir ./hosts)":                        "",
		"readDir ./hosts":                      "",
		"if \"${./hosts}\" == x then y else z": "hosts/b/x.nix changed",
	} {
		r := &Result{Imports: map[string]Facts{"flake.nix": Scan("flake.nix", text)}, Earned: map[Step]Ways{Dirty: {Contents: true}},
			Unread: []string{"app/.gitignore", "hosts/b/x.nix", "vars/b/value"}}
		if got := Predict(Question{Base: r, From: state("1"), To: state("2"), Imported: func(n string) bool { return n == "hosts/b/x.nix" }}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Code below a directory that is copied, and of whose copy nothing may be left, must have been
// seen not to matter.
func TestCodeInACopyThatIsForgotten(t *testing.T) {
	state := func(id string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: []worktree.Entry{{Path: "web/b.nix", Mode: worktree.ModeFile, ID: id}}})
	}
	for text, want := range map[string]string{
		`match ".*/(.{32})-.*" "${./web}"`: "web/b.nix changed",
		`x.source = "${./web}";`:           "",
	} {
		r := &Result{Imports: map[string]Facts{"flake.nix": Scan("flake.nix", text)}, Earned: map[Step]Ways{Dirty: {Contents: true}}}
		if got := Predict(Question{Base: r, From: state("1"), To: state("2"), Imported: func(string) bool { return true }}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A reader of what is no code leaves other hosts' modules alone.
func TestReaderOfDataSparesCode(t *testing.T) {
	state := func(id string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: []worktree.Entry{
			{Path: "hosts/b/wg.pub", Mode: worktree.ModeFile, ID: ""}, {Path: "hosts/b/x.nix", Mode: worktree.ModeFile, ID: id}}})
	}
	linked := func(id string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Links: []worktree.Link{{Path: "hosts/b/wg.pub", Target: "hosts/b/x.nix"}}, Entries: []worktree.Entry{
			{Path: "hosts/b/wg.pub", Mode: worktree.ModeSymlink, ID: ""}, {Path: "hosts/b/x.nix", Mode: worktree.ModeFile, ID: id}}})
	}
	for text, want := range map[string]string{
		"readFile ./hosts/${n}/wg.pub":              "",
		"readFile ./hosts/${n}":                     "hosts/b/x.nix changed",
		"f ./hosts; f = d: readFile \"${d}/x.pub\"": "",
		"f ./hosts; f = d: readFile d":              "hosts/b/x.nix changed",
	} {
		r := &Result{Imports: map[string]Facts{"flake.nix": Scan("flake.nix", text)}, Earned: map[Step]Ways{Dirty: {Contents: true}}}
		all := func(string) bool { return true }
		if got := Predict(Question{Base: r, From: state("1"), To: state("2"), Imported: all}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if got := Predict(Question{Base: r, From: linked("1"), To: linked("2"), Imported: all}); got == "" {
			t.Errorf("%s: unchanged by a name that ends otherwise", text)
		}
	}
}
