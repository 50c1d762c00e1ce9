package fleet

// Forms in which a host that is watched, or is from some change on, was taken for unchanged wrongly, or might be.
func attackForms() []realForm {
	twoHosts := formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix); }; }`)
	withSelf := formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix inputs); }; }`)
	return []realForm{
		{name: "hashOfPlace", files: map[string]string{"flake.nix": twoHosts, "hosts/a.nix": `"1"`, "hosts/b.nix": `"1"`, "hosts/x": "1"},
			steps: []string{`echo '"2"' >hosts/b.nix`, `echo 'builtins.hashString "sha256" (builtins.toString ./x)' >hosts/b.nix`, "echo x>>notes", `echo '"2"' >hosts/a.nix`, "git add -A; git commit -q -m c", "echo x>>notes", "git add -A; git commit -q -m c", "echo x>>notes"}},
		{name: "hashOfPlaceByXML", files: map[string]string{"flake.nix": twoHosts, "hosts/a.nix": `"1"`, "hosts/b.nix": `"1"`, "hosts/x": "1"},
			steps: []string{`echo '"2"' >hosts/b.nix`, `echo 'builtins.hashString "sha256" (builtins.toXML ./x)' >hosts/b.nix`, "echo x>>notes", `echo '"2"' >hosts/a.nix`, "git add -A; git commit -q -m c", "echo x>>notes", "git add -A; git commit -q -m c", "echo x>>notes"}},
		{name: "hashOfAllInputs", files: map[string]string{"flake.nix": withSelf, "hosts/a.nix": `"1"`, "hosts/b.nix": `inputs: "1"`},
			steps: []string{`echo 'inputs: "2"' >hosts/b.nix`, `echo 'inputs: builtins.hashString "sha256" (builtins.concatStringsSep ":" (map (i: "${i}") (builtins.attrValues inputs)))' >hosts/b.nix`, "echo x>>notes", `echo '"2"' >hosts/a.nix`, "git add -A; git commit -q -m c", "echo x>>notes", "git add -A; git commit -q -m c", "echo x>>notes"}},
		{name: "inputHashesSelf", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.mk = { self }: builtins.substring 0 12 self.narHash; }; }`,
			"flake.nix":          formFlake(`inputs.l.url = "path:@DIR@/input";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix inputs); }; }`),
			"hosts/a.nix":        `"1"`, "hosts/b.nix": `{ self, l, ... }: "1"`},
			steps: []string{`echo '{ self, l, ... }: "2"' >hosts/b.nix`, `echo '{ self, l, ... }: l.lib.mk { inherit self; }' >hosts/b.nix`, "echo x>>notes", `echo '"2"' >hosts/a.nix`, "git add -A; git commit -q -m c", "echo x>>notes", "git add -A; git commit -q -m c", "echo x>>notes"}},
		{name: "copyThenFlake", files: map[string]string{
			"flake.nix":    formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" "a"; b = mk "b" "b"; }; }`),
			"../flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" "a"; b = mk "b" [ (builtins.head (builtins.match ".*/([a-z0-9]{32})-.*" (builtins.path { path = ./.; name = "w"; }))) (builtins.stringLength (builtins.readFile ./flake.nix)) ]; }; }`)},
			steps: []string{"echo x>>notes", "cp ../flake.nix flake.nix", "echo x>>notes", "echo x>>notes", "git add -A; git commit -q -m c", "echo x>>notes", "git add -A; git commit -q -m c", "echo x>>notes"}},
		{name: "partBySelf", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.mk = { self, name }: (builtins.fromJSON (builtins.readFile (self + "/data/${name}.json"))).a; }; }`,
			"flake.nix":          formFlake(`inputs.l.url = "path:@DIR@/input";`, `{ nixosConfigurations = { a = mk "a" (inputs.l.lib.mk { inherit self; name = "a"; }); b = mk "b" (inputs.l.lib.mk { inherit self; name = "b"; }); }; }`),
			"data/a.json":        `{ "a": "1", "x": "1" }`, "data/b.json": `{ "a": "1", "x": "1" }`},
			steps: []string{`echo '{ "a": "1", "x": "2" }' >data/b.json`, `echo '{ "a": "1", "x": "3" }' >data/b.json`, `echo '{ "a": "2", "x": "3" }' >data/b.json`,
				`echo '{ "a": "1", "x": "2" }' >data/a.json; git add -A; git commit -q -m m`, `echo '{ "a": "2", "x": "2" }' >data/a.json`}},
		{name: "lengthOfCode", files: map[string]string{
			"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `let len = f: builtins.stringLength (builtins.readFile f); in { nixosConfigurations = { a = mk "a" (len (./hosts + "/b.nix")); b = mk "b" (import (./hosts + "/b.nix")); }; }`),
			"hosts/b.nix": "1\n"},
			steps: []string{"echo 2 >hosts/b.nix", "echo 3 >hosts/b.nix", "echo 44 >hosts/b.nix"}},
		{name: "emptyCode", files: map[string]string{
			"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `let has = f: builtins.readFile f != "1\n"; in { nixosConfigurations = { a = mk "a" (has (./hosts + "/b.nix")); b = mk "b" (import (./hosts + "/b.nix")); }; }`),
			"hosts/b.nix": "2\n"},
			steps: []string{"echo 3 >hosts/b.nix", "echo 4 >hosts/b.nix", "echo 1 >hosts/b.nix"}},
		{name: "latin1", files: map[string]string{
			"flake.nix":    formFlake(`inputs.none.url = "path:@DIR@/none";`, `let all = map (n: builtins.readFile (./data + "/${n}")) (builtins.attrNames (builtins.readDir ./data)); in { nixosConfigurations = { a = mk "a" "a"; b = mk "b" all; }; }`),
			"data/caf\xe9": "1"},
			steps: []string{`for f in data/caf*; do echo 2 >"$f"; done`, `for f in data/caf*; do echo 3 >"$f"; done`}},
		{name: "crlf", files: map[string]string{"flake.nix": withSelf, "hosts/a.nix": "builtins.readFile ../data", "hosts/b.nix": `{ self, ... }: [ (self.rev or "dirty") (builtins.stringLength (builtins.readFile ../data)) ]`, "data": "1\r\n"},
			steps: []string{`printf '* text=auto\n' >.gitattributes; git add -A; git commit -q -m attr`, "touch data", "echo x>>notes; git add notes; git commit -q -m n; touch data", "echo x>>notes; git add notes; git commit -q -m n; touch data",
				`sed -i 's/\r//' data`, "git checkout -q data; touch data", "git status >/dev/null", "git add --renormalize .; git commit -q -m r", "echo x>>notes; git add notes; git commit -q -m n", "echo x>>notes; git add notes; git commit -q -m n; touch data",
				"rm data; git checkout -q data", "echo x>>notes; git add notes; git commit -q -m n", "git config core.eol crlf; rm data; git checkout -q data", "echo x>>notes; git add notes; git commit -q -m n", `printf '2\r\n' >data`, "git add -A; git commit -q -m n",
				"git config core.autocrlf input", "echo x>>notes", "git config core.autocrlf false; git config --unset core.eol", "rm data; git checkout -q data", "echo x>>notes; git add notes; git commit -q -m n", `printf '* -text\n' >.gitattributes`, "git add -A; git commit -q -m n",
				`printf '3\r\n' >data`, "git add -A; git commit -q -m n", `printf 'data text=auto eol=lf\n' >.gitattributes; git add -A; git commit -q -m n`, "touch data", "echo x>>notes; git add notes; git commit -q -m n; touch data", `printf '3\n' >data`, "git add -A; git commit -q -m n", `printf '3\r\n' >data`, "touch data", "git add -A", "git commit -q -m n || true"}},
	}
}
