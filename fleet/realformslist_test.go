package fleet

var realForms = []realForm{
	{name: "nixGitignore", files: map[string]string{
		"../input/flake.nix": `{ outputs = { self }: { gitignoreSource = root: builtins.path { name = "src"; path = root; filter = p: t:
  let lines = builtins.filter (x: builtins.isString x && x != "" && builtins.substring 0 1 x != "#") (builtins.split "\n" (builtins.readFile (root + "/.gitignore"))); in
  !(builtins.elem (builtins.baseNameOf p) lines) && builtins.baseNameOf p != ".gitignore"; }; }; }`,
		"flake.nix":      formFlake(`inputs.gitignore.url = "path:@DIR@/input";`, `{ nixosConfigurations = { a = mk "a" (inputs.gitignore.gitignoreSource ./app); b = mk "b" "b"; }; }`),
		"app/.gitignore": "# x\nout\n", "app/x": "1", "app/outer": "1"},
		steps: []string{"sed -i 's/# x/# y/' app/.gitignore", "sed -i 's/# y/# z/' app/.gitignore", "sed -i 's/out/outer/' app/.gitignore"}},
	{name: "clanParts", files: map[string]string{
		"../input/flake.nix": `{ outputs = { self }: { flakeModule = { }; mkFlake = { inputs }: module: let p = n: builtins.fromJSON (builtins.readFile (inputs.self + "/machines/${n}/facter.json")); in
  module { vars = n: builtins.readFile (inputs.self + "/vars/${n}/value"); kernel = n: (p n).kernel; }; }; }`,
		"flake.nix":    formFlake(`inputs.clan-core.url = "path:@DIR@/input";`, `inputs.clan-core.mkFlake { inherit inputs; } (clan: { nixosConfigurations = { a = mk "a" (clan.vars "a" + clan.vars "b" + clan.kernel "a"); b = mk "b" (clan.vars "b" + clan.kernel "b"); }; })`),
		"vars/a/value": "1", "vars/b/value": "1", "machines/a/facter.json": `{ "kernel": "1", "x": "1" }`, "machines/b/facter.json": `{ "kernel": "1", "x": "1" }`},
		steps: []string{"echo 2 >vars/b/value", "echo 3 >vars/b/value", `echo '{ "kernel": "1", "x": "2" }' >machines/a/facter.json`, `echo '{ "kernel": "1", "x": "3" }' >machines/a/facter.json`, `echo '{ "kernel": "2", "x": "3" }' >machines/a/facter.json`}},
	{name: "pipeInReader", files: map[string]string{
		"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (builtins.fromJSON (builtins.readFile "${./data/hosts + ".json"}")).a; b = mk "b" (builtins.fromJSON (builtins.readFile (./data/hosts # the list
          + ".json"))).b; }; }`),
		"data/hosts.json": `{ "a": "1", "b": "1" }`},
		steps: []string{`echo '{ "a": "2", "b": "1" }' >data/hosts.json`, `echo '{ "a": "2", "b": "2" }' >data/hosts.json`, `echo '{ "a": "3", "b": "2" }' >data/hosts.json`, `echo '{ "a": "3", "b": "3" }' >data/hosts.json`}},
	{name: "partOfCode", files: map[string]string{
		"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `let lib = import ./lib.nix; in { nixosConfigurations = { a = mk "a" (import (./hosts + "/a.nix") { inherit lib; }); b = mk "b" (import (./hosts + "/b.nix")); }; }`),
		"lib.nix":     `rec { firstLine = f: builtins.head (builtins.split "\n" (builtins.readFile f)); describe = dir: map (n: firstLine (dir + "/${n}")) (builtins.attrNames (builtins.readDir dir)); }`,
		"hosts/a.nix": `{ lib }: toString (lib.describe ../hosts)`, "hosts/b.nix": "# the mail server\n1"},
		steps: []string{`sed -i 's/^1/2/' hosts/b.nix`, `sed -i 's/^2/3/' hosts/b.nix`, "sed -i 's/mail/web/' hosts/b.nix"}},
	{name: "baseNameOfRoot", files: map[string]string{
		"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix); }; }`),
		"hosts/a.nix": `"1"`, "hosts/b.nix": `"1"`},
		steps: []string{`echo '"3"' >hosts/a.nix`, "echo 2 >hosts/b.nix", "echo 3 >hosts/b.nix", "echo 4 >hosts/b.nix", `echo '"2 ${builtins.substring 0 8 (baseNameOf ../.)}"' >hosts/a.nix`, "echo 2 >hosts/b.nix", "echo 3 >hosts/b.nix",
			`echo '"2 ${builtins.substring 11 8 (toString ../.)}"' >hosts/b.nix`, `echo '"2"' >hosts/a.nix`, `echo '"3"' >hosts/a.nix`}},
	{name: "parentInput", sub: "nix", files: map[string]string{
		"flake.nix":    formFlake(`inputs.top = { url = "path:.."; flake = false; };`, `{ nixosConfigurations = { a = mk "a" (builtins.fromJSON (builtins.readFile "${inputs.top}/data.json")).a; b = mk "b" "b"; }; }`),
		"../data.json": `{ "a": "1", "b": "1" }`},
		steps: []string{`echo '{ "a": "1", "b": "2" }' >../data.json`, `echo '{ "a": "1", "b": "3" }' >../data.json`, `echo '{ "a": "2", "b": "3" }' >../data.json`}},
	{name: "otherHost", files: map[string]string{
		"flake.nix":           formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = builtins.mapAttrs (n: _: let c = import (./hosts + "/${n}") { inherit self inputs; name = n; root = ./.; }; in mk n c.text // { c = c; }) (builtins.readDir ./hosts); }`),
		"hosts/a/default.nix": `{ self, root, name, ... }: { text = builtins.concatStringsSep "," (map (c: c.c.port) (builtins.attrValues (removeAttrs self.nixosConfigurations [ name ]))); }`,
		"hosts/b/default.nix": `{ root, name, ... }: { port = toString (builtins.fromJSON (builtins.readFile "${root}/data/${name}.json")).port; text = import ./own.nix; }`,
		"hosts/b/own.nix":     "1", "data/b.json": `{ "port": 1, "x": 1 }`, "data/a.json": "{}"},
		steps: []string{"echo 2 >hosts/b/own.nix", "echo 3 >hosts/b/own.nix", `echo '{ "port": 1, "x": 2 }' >data/b.json`, `echo '{ "port": 1, "x": 3 }' >data/b.json`, `echo '{ "port": 2, "x": 3 }' >data/b.json`}},
	{name: "scoped", files: map[string]string{
		"../input/flake.nix": `{ outputs = { self }: { load = { src }: builtins.mapAttrs (n: _: builtins.scopedImport { x = 1; } (src + "/${n}")) (builtins.readDir src); }; }`,
		"flake.nix":          formFlake(`inputs.haumea.url = "path:@DIR@/input";`, `let l = inputs.haumea.load { src = ./hosts; }; in { nixosConfigurations = { a = mk "a" l."a.nix"; b = mk "b" l."b.nix"; }; }`),
		"hosts/a.nix":        "x", "hosts/b.nix": "x"},
		steps: []string{"echo 1 >hosts/a.nix", "echo 2 >hosts/a.nix", "echo 3 >hosts/a.nix", "echo 3 >hosts/b.nix"}},
	{name: "discarded", files: map[string]string{
		"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (builtins.match ".*/([a-z0-9]{32})-.*" "${./web}"); b = mk "b" (import ./web/b.nix); }; }`),
		"web/x":     "1", "web/b.nix": "1"},
		steps: []string{"echo 2 >web/b.nix", "echo 3 >web/b.nix", "echo 4 >web/b.nix"}},
	{name: "compared", files: map[string]string{
		"flake.nix":     formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (if "${./new/web}" == "${./old/web}" then "same" else "differs"); b = mk "b" (import ./new/web/b.nix + import ./old/web/b.nix); }; }`),
		"new/web/b.nix": "1", "old/web/b.nix": "1"},
		steps: []string{"echo x>>notes", "echo 2 >old/web/b.nix", "echo 2 >new/web/b.nix", "echo 3 >new/web/b.nix", "echo 3 >old/web/b.nix"}},
	{name: "mesh", files: map[string]string{
		"flake.nix":           formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = builtins.mapAttrs (n: _: mk n (import (./hosts + "/${n}") { inherit self inputs; name = n; root = ./.; })) (builtins.readDir ./hosts); deploy = self.deploy or {}; }`),
		"hosts/a/default.nix": `{ root, ... }: let hosts = builtins.attrNames (builtins.readDir ../.); in map (n: builtins.readFile ../${n}/wg.pub + (builtins.fromJSON (builtins.readFile "${root}/data/${n}.json")).ip) hosts ++ [ (import ./own.nix) ]`,
		"hosts/b/default.nix": `{ name, ... }: import ./own.nix`,
		"hosts/a/own.nix":     "1", "hosts/b/own.nix": "1", "hosts/a/wg.pub": "1", "hosts/b/wg.pub": "1", "data/a.json": `{ "ip": "1" }`, "data/b.json": `{ "ip": "1", "x": 1 }`},
		steps: []string{"echo 2 >hosts/b/own.nix", "echo 3 >hosts/b/own.nix", "echo 4 >hosts/b/own.nix", "echo 2 >hosts/b/wg.pub", `echo '{ "ip": "1", "x": 2 }' >data/b.json`, `echo '{ "ip": "1", "x": 3 }' >data/b.json`, `echo '{ "ip": "2", "x": 3 }' >data/b.json`, "echo 9 >hosts/a/own.nix", "echo 5 >hosts/b/own.nix", "echo 3 >hosts/b/wg.pub"}},
	{name: "userAtHost", files: map[string]string{
		"flake.nix":             formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import (./users + "/u@a") + import (./users + "/ü b.nix")); b = mk "b" (import (./users + "/u@b")); }; }`),
		"users/u@a/default.nix": "1", "users/u@b/default.nix": "1", "users/ü b.nix": "1"},
		steps: []string{"echo 2 >users/u@b/default.nix", "echo 3 >users/u@b/default.nix", "echo 2 >'users/ü b.nix'", "echo 3 >'users/ü b.nix'", "echo 2 >users/u@a/default.nix"}},
	{name: "base16", files: map[string]string{
		"../input/flake.nix": `{ outputs = { self }: { module = { scheme }: builtins.match ".*base00: ([0-9]+).*" (builtins.readFile scheme); }; }`,
		"flake.nix":          formFlake(`inputs.base16.url = "path:@DIR@/input";`, `let theme = "dark"; in { nixosConfigurations = { a = mk "a" (inputs.base16.module { scheme = ./themes/${theme}.yaml; }); b = mk "b" (inputs.base16.module { scheme = ./themes + "/${theme}.yaml"; }); }; }`),
		"themes/dark.yaml":   "# x\nbase00: 1\n"},
		steps: []string{"sed -i 's/# x/# y/' themes/dark.yaml", "sed -i 's/# y/# z/' themes/dark.yaml", "sed -i 's/base00: 1/base00: 2/' themes/dark.yaml"}},
	{name: "dates", files: map[string]string{
		"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" "${builtins.substring 0 8 (self.lastModifiedDate or "x")}.${self.shortRev or "dirty"}"; b = mk "b" (import ./b.nix { inherit inputs; }); }; }`),
		"b.nix":     `{ inputs }: let inherit (inputs) self; in builtins.toJSON { r = self.rev or null; l = toString self.lastModified; }`},
		steps: []string{"git add -A; GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' git commit -q --amend -m 3", "GIT_COMMITTER_DATE='2020-01-02T00:00:00Z' git commit -q --amend -m 4"}},
	{name: "other's toplevel", files: map[string]string{
		"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = builtins.mapAttrs (n: _: mk n (import (./hosts + "/${n}.nix") { inherit self; })) { a = 1; b = 1; }; }`),
		"hosts/a.nix": `{ self }: let t = self.nixosConfigurations.b.config.system.build.toplevel; in builtins.head (builtins.match "/nix/store/([a-z0-9]+)-.*" t.outPath)`,
		"hosts/b.nix": `{ self }: "${../files}/x"`, "files/x": "1", "files/y.nix": "1"},
		steps: []string{"echo 2 >hosts/b.nix.bak", "echo 2 >files/x", "echo 3 >files/x", "echo 2 >files/y.nix", "echo 3 >files/y.nix"}},
	{name: "other's toplevel and code", files: map[string]string{
		"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = builtins.mapAttrs (n: _: mk n (import (./hosts + "/${n}.nix") { inherit self; })) { a = 1; b = 1; c = 1; }; }`),
		"hosts/a.nix": `{ self }: let t = self.nixosConfigurations.b.config.system.build.toplevel; in builtins.head (builtins.match "/nix/store/([a-z0-9]+)-.*" t.outPath)`,
		"hosts/b.nix": `{ self }: builtins.toString [ (builtins.path { path = ../files; name = "files"; }) (self.nixosConfigurations.c.own or "") ]`, "hosts/c.nix": "{ self }: import ../files/y.nix", "files/x": "1", "files/y.nix": "1"},
		steps: []string{"echo 2 >files/x", "echo 3 >files/x", "echo 2 >files/y.nix", "echo 3 >files/y.nix", "echo 4 >files/y.nix"}},
	{name: "haumeaData", files: map[string]string{
		"../input/flake.nix": `{ outputs = { self }: { lib = { matchers.json = { matches = x: true; loader = _: p: builtins.fromJSON (builtins.readFile p); }; load = { src, loader }: builtins.mapAttrs (n: _: (builtins.head loader).loader { } (src + "/${n}")) (builtins.readDir src); }; }; }`,
		"flake.nix":          formFlake(`inputs.haumea.url = "path:@DIR@/input";`, `let inherit (inputs.haumea) lib; d = with lib; load { src = ./data; loader = [ matchers.json ]; }; in { nixosConfigurations = { a = mk "a" d."hosts.json".a; b = mk "b" d."hosts.json".b; }; }`),
		"data/hosts.json":    `{ "a": "1", "b": "1" }`},
		steps: []string{`echo '{ "a": "2", "b": "1" }' >data/hosts.json`, `echo '{ "a": "2", "b": "2" }' >data/hosts.json`, `echo '{ "a": "3", "b": "2" }' >data/hosts.json`}},
	{name: "snowfall", files: map[string]string{
		"../input/flake.nix":    `{ outputs = { self }: { mkLib = { inputs, src }: { fs.get-file = p: "${src}/${p}"; importAll = d: builtins.mapAttrs (n: _: import (src + "/${d}/${n}")) (builtins.readDir (src + "/${d}")); }; }; }`,
		"flake.nix":             formFlake(`inputs.snowfall-lib.url = "path:@DIR@/input";`, `let lib = inputs.snowfall-lib.mkLib { inherit inputs; src = ./.; }; s = lib.importAll "systems"; in { nixosConfigurations = builtins.mapAttrs (n: m: mk n (m { inherit lib; })) s; }`),
		"systems/a/default.nix": `{ lib }: (builtins.fromTOML (builtins.readFile (lib.fs.get-file "data/x.toml"))).a`, "systems/b/default.nix": `{ lib }: let p = lib.fs.get-file "data/x.toml"; in (fromTOML (builtins.readFile p)).b + import ./own.nix`,
		"systems/b/own.nix": `"1"`, "data/x.toml": "a = '1'\nb = '1'\n"},
		steps: []string{`echo '"2"' >systems/b/own.nix`, `echo '"3"' >systems/b/own.nix`, `printf "a = '2'\nb = '1'\n" >data/x.toml`, `printf "a = '2'\nb = '2'\n" >data/x.toml`, `printf "a = '3'\nb = '2'\n" >data/x.toml`}},
	{name: "earnedThenReads", files: map[string]string{
		"flake.nix":       formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = builtins.mapAttrs (n: _: mk n (import (./hosts + "/${n}") { inherit self; lib = import ./lib; root = ./.; })) (builtins.readDir ./hosts); }`),
		"lib/default.nix": `{ }`, "hosts/a/default.nix": `{ ... }: "1"`, "hosts/b/default.nix": `{ ... }: import ./own.nix`, "hosts/b/own.nix": "# web\n1", "data/b.json": `{ "ip": 1, "x": 1 }`},
		steps: []string{"echo '{ \"ip\": 1, \"x\": 2 }' >data/b.json", "echo '{ \"ip\": 1, \"x\": 3 }' >data/b.json", "printf '# web\n2' >hosts/b/own.nix", "printf '# web\n3' >hosts/b/own.nix",
			`echo '{ first = f: builtins.head (builtins.split "\n" (builtins.readFile f)); }' >lib/default.nix`,
			`echo '{ lib, root, ... }: lib.first (root + "/hosts/b/own.nix")' >hosts/a/default.nix`, "printf '# web\n4' >hosts/b/own.nix", "printf '# web\n5' >hosts/b/own.nix", "printf '# mail\n5' >hosts/b/own.nix",
			`echo '{ lib, root, self, ... }: toString (builtins.fromJSON (builtins.readFile "${root}/data/b.json")).ip + (self.rev or "")' >hosts/a/default.nix`, "echo '{ \"ip\": 1, \"x\": 4 }' >data/b.json", "echo '{ \"ip\": 1, \"x\": 5 }' >data/b.json", "echo '{ \"ip\": 2, \"x\": 5 }' >data/b.json",
			"git add -A; git commit -q -m m", "echo '{ \"ip\": 2, \"x\": 6 }' >data/b.json", "git add -A; git commit -q -m n", "printf '# mail\n6' >hosts/b/own.nix", "git add -A; git commit -q -m o"}},
	{name: "spaced repo", sub: "my repo+x#y", files: map[string]string{
		"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./a.nix); b = mk "b" (import ./b.nix); }; }`),
		"a.nix":     "1", "b.nix": "1"},
		steps: []string{"echo 2 >a.nix", "echo 2 >b.nix", "echo 3 >b.nix"}},
	{name: "template", files: map[string]string{
		"flake.nix":        formFlake(`inputs.none.url = "path:@DIR@/none";`, `let render = t: v: builtins.replaceStrings [ "@name@" ] [ v ] (builtins.readFile t); in { nixosConfigurations = builtins.mapAttrs (n: _: mk n (render (./templates + "/${n}.conf") n)) { a = 1; b = 1; }; }`),
		"templates/a.conf": "x @name@", "templates/b.conf": "x @name@"},
		steps: []string{"echo 'y @name@' >templates/b.conf", "echo 'y b' >templates/b.conf", "echo 'z @name@' >templates/a.conf"}},
}
