package fleet

const noInput = `inputs.none.url = "path:@DIR@/none";`

// Forms that attacked what is seen to be opened, and what tells clean trees from dirty ones.
func watchedForms() []realForm {
	two := func(a, b string) string {
		return formFlake(noInput, `{ nixosConfigurations = { a = mk "a" (`+a+`); b = mk "b" (`+b+`); }; }`)
	}
	imp := two(`import ./hosts/a.nix`, `import ./hosts/b.nix`)
	impIn := formFlake(noInput, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix inputs); b = mk "b" (import ./hosts/b.nix inputs); }; }`)
	withInput := func(body string) string { return formFlake(`inputs.l.url = "path:@DIR@/input";`, body) }
	commit := "git add -A; git commit -q -m c || true"
	st := func(s ...string) []string {
		return append(s, "echo x>>notes", commit, "echo x>>notes", commit, "echo x>>notes")
	}
	return []realForm{
		{name: "rootByDotDot", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `"1"`, "hosts/b.nix": `"1"`},
			steps: st(`echo 'let root = ./. + "/.."; in builtins.substring 11 8 "${root}"' >hosts/b.nix`)},
		{name: "linkChain", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `"1"`, "hosts/b.nix": `if !builtins.pathExists ../l1 then 0 else builtins.stringLength (builtins.readFile ../l1/x/v)`, "real/deep/x/v": "1"},
			steps: st("mkdir z; ln -s z/l2 l1; ln -s ../real/deep z/l2; git add -A", "echo 22 >real/deep/x/v", "echo 333 >real/deep/x/v", commit, "echo 4444 >real/deep/x/v", commit)},
		{name: "linkDirImport", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `if !builtins.pathExists ../mods then 0 else import ../mods`, "hosts/b.nix": `if !builtins.pathExists ../mods then 0 else map (n: import (../mods + "/${n}")) (builtins.attrNames (builtins.readDir ../mods))`, "real/default.nix": `"1"`, "real/x.nix": `"1"`},
			steps: st("ln -s real mods; git add -A", `echo '"2"' >real/x.nix`, `echo '"2"' >real/default.nix`, commit, `echo '"3"' >real/x.nix`, commit)},
		{name: "intentToAdd", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `"1"`, "hosts/b.nix": `if builtins.pathExists ../new then builtins.stringLength (builtins.readFile ../new) else 0`},
			steps: st("echo 1 >new; git add -N new", "echo 22 >new", "echo 333 >new", "git add new", "echo 4444 >new", commit, "echo 55555 >new", "git stash -q", "git stash pop -q", "git rm -q --cached new", "git add -N new", "echo 1>>new")},
		{name: "manyFiles", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `if !builtins.pathExists ../many then 0 else builtins.readFile ../many/f700`, "hosts/b.nix": `if !builtins.pathExists ../many then 0 else builtins.substring 11 8 "${../many}"`},
			steps: st("mkdir many; for i in $(seq 1000); do echo $i >many/f$i; done; git add -A", commit, "echo x>>many/f700", "echo x>>many/f701", commit)},
		{name: "linkedWorktree", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `builtins.readFile ../data`, "hosts/b.nix": `builtins.stringLength (builtins.readFile ../data)`, "data": "1"},
			steps: st("git worktree add -q ../wt2 -b two; mv ../wt2/.git /tmp/x$$; true", "echo 22 >data; "+commit, "git checkout -q HEAD~1", "echo 22 >data", "git checkout -q main -f", "git revert --no-edit HEAD >/dev/null", "git reset -q --hard HEAD~1", "git reset -q --soft HEAD~1", commit)},
		{name: "cleanReads", files: map[string]string{"flake.nix": impIn, "hosts/a.nix": `{ self, ... }: if self ? rev then builtins.readFile ../v else "1"`, "hosts/b.nix": `i: let inherit (i) self; in if self ? dirtyRev then "1" else builtins.readFile ../v`, "v": "1"},
			steps: st("printf 2 >v", commit, "printf 1 >v", commit, "echo x>>notes", "printf 3 >v", "echo x>>notes", commit)},
		{name: "cleanReadsInInput", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.mk = { inputs, f }: if inputs.self ? rev then builtins.readFile f else "1"; }; }`,
			"flake.nix":          withInput(`let v = inputs.l.lib.mk { inherit inputs; f = ./v; }; in { nixosConfigurations = { a = mk "a" v; b = mk "b" "b"; }; }`), "v": "1"},
			steps: st("printf 2 >v", commit, "printf 1 >v", commit, "echo x>>notes", "printf 3 >v", "echo x>>notes", commit)},
		{name: "filterReads", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `builtins.path { name = "s"; path = ../web; filter = p: t: builtins.readFile (../ign + ("/" + builtins.baseNameOf p)) == "y"; }`, "hosts/b.nix": `builtins.filterSource (p: t: builtins.match "y.*" (builtins.readFile p) != null) ../web`, "web/x": "1", "web/y": "y", "ign/x": "y", "ign/y": "y"},
			steps: st("printf n >ign/x", "printf y >ign/x", "printf y1 >web/x", "printf 2 >web/x", commit, "printf y2 >web/y", commit)},
		{name: "crossFileHash", files: map[string]string{
			"flake.nix":   formFlake(noInput, `{ nixosConfigurations = { a = mk "a" (import ./mod.nix (import ./hosts/a.nix)); b = mk "b" (import ./mod.nix (import ./hosts/b.nix)); }; }`),
			"mod.nix":     `cfg: "restart-" + builtins.hashString "sha256" (builtins.toJSON cfg)`,
			"hosts/a.nix": `{ script = "1"; }`, "hosts/b.nix": `{ script = "1"; }`, "hosts/s.sh": "1"},
			steps: st(`echo '{ script = builtins.toString ./s.sh; }' >hosts/b.nix`)},
		{name: "substringLet", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `"1"`, "hosts/b.nix": `"1"`},
			steps: st(`echo 'let p = builtins.toString ./b.nix; in builtins.substring 11 8 p' >hosts/b.nix`)},
		{name: "hashJSONInputs", files: map[string]string{"flake.nix": impIn, "hosts/a.nix": `i: "1"`, "hosts/b.nix": `i: "1"`},
			steps: st(`echo 'inputs: builtins.hashString "sha256" (builtins.toJSON inputs)' >hosts/b.nix`)},
		{name: "dirtyReadsLocalNoRoot", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.mkFlake = { inputs, src, ... }: f: f { local = if inputs.self ? rev then { } else builtins.fromJSON (builtins.readFile (src + "/local.json")); }; }; }`,
			"flake.nix":          withInput(`inputs.l.lib.mkFlake { inherit inputs; src = ./hosts; } ({ local }: { nixosConfigurations = { a = mk "a" (local.a or "1"); b = mk "b" (local.b or "1"); }; })`), "hosts/local.json": "{}"},
			steps: st(`echo '{"a":"2"}' >hosts/local.json`, commit, `echo '{"b":"2"}' >hosts/local.json`, commit, "echo '{ }' >hosts/local.json", commit, `echo '{"a":"3"}' >hosts/local.json`)},
		{name: "many commits reset", files: map[string]string{"flake.nix": impIn, "hosts/a.nix": `{ self, ... }: self.rev or self.dirtyRev or "none"`, "hosts/b.nix": `{ self, ... }: [ (builtins.toString (self.revCount or 0)) (builtins.readFile ../v) ]`, "v": "1"},
			steps: st("git commit -q --allow-empty -m e", "git reset -q --hard HEAD~1", "git commit -q --allow-empty -m f", "echo 2 >v; "+commit, "git reset -q --hard HEAD~2", "git checkout -q --orphan o; git commit -qm o", "git checkout -q main", "git branch -D o", "git commit -q --amend -m z", "echo x>>notes", "git stash -q; git stash pop -q", commit)},
		{name: "rootDotDotNamedHash", files: map[string]string{"flake.nix": imp, "hosts/a.nix": `"1"`, "hosts/b.nix": `"1"`},
			steps: st(`echo 'let root = ./. + "/.."; in builtins.hashString "sha256" "${builtins.path { path = root; name = "source"; }}"' >hosts/b.nix`)},
		{name: "rootSlashNamedMatch", files: map[string]string{"flake.nix": two(`"a"`, `import ./b.nix`), "b.nix": `"1"`},
			steps: st(`echo 'let sub = "."; src = ./. + "/${sub}"; in builtins.hashString "sha256" "${builtins.path { path = src; name = "source"; }}"' >b.nix`)},
		{name: "ownReadsIfInputSaysClean", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.isClean = inputs: inputs.self ? rev; }; }`,
			"flake.nix":          withInput(`{ nixosConfigurations = { a = mk "a" "a"; b = mk "b" (import ./hosts/b.nix inputs); }; }`), "v": "1", "hosts/b.nix": `{ l, ... }@inputs: if l.lib.isClean inputs then builtins.readFile ../v else "1"`},
			steps: st("printf 2 >v", commit, "printf 1 >v", commit, "echo x>>notes", "printf 3 >v", "echo x>>notes", commit)},
		{name: "releaseModule", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.mkHost = { inputs, motd, text }: { inherit text; } // (if inputs.self ? rev then { motd = builtins.readFile motd; } else { motd = "test\n"; }); }; }`,
			"flake.nix":          withInput(`let h = n: t: mk n (let c = inputs.l.lib.mkHost { inherit inputs; motd = ./motd; text = t; }; in c.text + c.motd); in { nixosConfigurations = { a = h "a" "a"; b = h "b" "b"; }; }`), "motd": "test\n"},
			steps: st("echo welcome >motd", commit)},
	}
}
