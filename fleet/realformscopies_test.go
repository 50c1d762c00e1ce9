package fleet

// Forms of copying that Nix may remember: host a makes a copy, and b makes something of the same.
func copyForms() []realForm {
	return []realForm{
		{name: "copy by a sum", files: map[string]string{
			"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix); }; }`),
			"hosts/a.nix": `"" + ../web`, "hosts/b.nix": `builtins.match ".*/([a-z0-9]{32})-.*" ("" + ../web)`, "web/x": "1"},
			steps: []string{"echo 2 >web/x", "echo 3 >web/x"}},
		{name: "copy under a name", files: map[string]string{
			"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix); }; }`),
			"hosts/a.nix": `"" + ../web`, "hosts/b.nix": `let web = ../web; in builtins.match ".*/([a-z0-9]{32})-.*" "${web}"`, "web/x": "1"},
			steps: []string{"echo 2 >web/x", "echo 3 >web/x"}},
		{name: "copy by builtins.path", files: map[string]string{
			"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ./hosts/a.nix); b = mk "b" (import ./hosts/b.nix); }; }`),
			"hosts/a.nix": `builtins.path { path = ../web; name = "web"; }`, "hosts/b.nix": `builtins.head (builtins.split "-" (builtins.path { path = ../web; name = "web"; }))`, "web/x": "1"},
			steps: []string{"echo 2 >web/x", "echo 3 >web/x"}},
		{name: "copies compared", files: map[string]string{
			"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `let c = n: builtins.path { path = ./. + "/${n}"; name = "web"; }; in { nixosConfigurations = { a = mk "a" [ (c "old") (c "new") ]; b = mk "b" (if c "old" == c "new" then "same" else "differs"); }; }`),
			"old/x":     "1", "new/x": "2"},
			steps: []string{"echo x>>notes", "echo 2 >new/x", "echo 2 >old/x", "echo 3 >old/x"}},
		{name: "copy in another host", files: map[string]string{
			"flake.nix":   formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = builtins.mapAttrs (n: _: mk n (import (./hosts + "/${n}.nix") { inherit self; })) { a = 1; b = 1; }; }`),
			"hosts/b.nix": `{ self }: let t = self.nixosConfigurations.a.config.system.build.toplevel; in builtins.head (builtins.match "/nix/store/([a-z0-9]+)-.*" t.outPath)`,
			"hosts/a.nix": `{ self }: builtins.toJSON { src = ../files; }`, "files/x": "1"},
			steps: []string{"echo 2 >files/x", "echo 3 >files/x"}},
		{name: "copies in derivations compared", files: map[string]string{
			"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `let p = d: derivation { name = "p"; system = "x86_64-linux"; builder = "/bin/sh"; src = d; }; in { nixosConfigurations = { a = mk "a" [ (p ./old) (p ./new) ]; b = mk "b" (builtins.toString (builtins.elem (p ./old) [ (p ./new) ])); }; }`),
			"old/x":     "1", "new/x": "2"},
			steps: []string{"echo x>>notes", "echo 2 >new/x", "echo 2 >old/x", "echo 3 >old/x"}},
		{name: "copy hashed by an input", files: map[string]string{
			"../input/flake.nix": `{ outputs = { self }: { lib.trigger = p: builtins.hashString "sha256" "${p}"; }; }`,
			"flake.nix":          formFlake(`inputs.l.url = "path:@DIR@/input";`, `{ nixosConfigurations = { a = mk "a" ("" + ./web); b = mk "b" (inputs.l.lib.trigger ./web); }; }`),
			"web/x":              "1"},
			steps: []string{"echo 2 >web/x", "echo 3 >web/x"}},
		{name: "copy in a text", files: map[string]string{
			"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" [ ("" + ./web) ]; b = mk "b" (builtins.toFile "x" ("x " + ./web)); }; }`),
			"web/x":     "1"},
			steps: []string{"echo 2 >web/x", "echo 3 >web/x"}},
		{name: "copy like an input", files: map[string]string{"../d/x": "1",
			"flake.nix":  formFlake(`inputs.d = { url = "path:@DIR@/d"; flake = false; };`, `let p = builtins.path { path = ./vendored; name = "source"; }; in { nixosConfigurations = { a = mk "a" [ p ]; b = mk "b" p; }; }`),
			"vendored/x": "1"},
			steps: []string{"echo 22 >vendored/x", "echo 333 >vendored/x"}},
		{name: "read out of a copy like an input", files: map[string]string{"../d/x": "1",
			"flake.nix":  formFlake(`inputs.d = { url = "path:@DIR@/d"; flake = false; };`, `let p = builtins.path { path = ./vendored; name = "source"; }; in { nixosConfigurations = { a = mk "a" [ p ]; b = mk "b" (builtins.stringLength (builtins.readFile "${p}/x")); }; }`),
			"vendored/x": "1"},
			steps: []string{"echo 22 >vendored/x", "echo 333 >vendored/x"}},
		{name: "all read in order", files: map[string]string{
			"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `let all = map (n: builtins.substring 0 1 (builtins.readFile (./. + "/${n}"))) (builtins.attrNames (builtins.readDir ./.)); in { nixosConfigurations = { a = mk "a" "a"; b = mk "b" all; }; }`),
			"data":      "1"},
			steps: []string{"echo 1x >data", "echo 2 >data", "echo 3 >data"}},
		{name: "copy by a symlink", files: map[string]string{
			"flake.nix": formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (if builtins.pathExists ./link then builtins.substring 0 1 (builtins.readFile ./link/x) else "") ; b = mk "b" (if builtins.pathExists ./link then builtins.match ".*/([a-z0-9]{32})-.*" "${./link}/x" else ""); }; }`),
			"real/x":    "1"},
			steps: []string{"ln -s real link; git add -A", "echo x>>notes", "echo x>>notes", "echo 1x >real/x", "echo 2 >real/x", "echo 3 >real/x"}},
		{name: "copies from a subdirectory", sub: "nix", files: map[string]string{
			"flake.nix":      formFlake(`inputs.none.url = "path:@DIR@/none";`, `{ nixosConfigurations = { a = mk "a" (import ../hosts/a.nix); b = mk "b" (import ../hosts/b.nix); }; }`),
			"../hosts/a.nix": `"" + ../web`, "../hosts/b.nix": `[ (builtins.substring 0 1 (builtins.readFile ../data)) (builtins.filterSource (p: t: builtins.baseNameOf p != "y") ../web) ]`, "../data": "1", "../web/x": "1", "../web/y": "1"},
			steps: []string{"echo 1x >../data", "echo 2 >../data", "echo 2 >../web/y", "echo 2 >../web/x", "echo 3 >../web/x"}},
	}
}
