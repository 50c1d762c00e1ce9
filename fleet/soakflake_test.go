package fleet

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// code are the Nix files that a flake may import, by their paths in it.
func (s *soak) code() []string {
	list := []string{"common/default.nix", "common/opt.nix", "common/extra.nix", "mods/a.nix", "mods/b.nix"}
	for _, h := range soakHosts() {
		list = append(list, "hosts/"+h.Name+"/default.nix", "hosts/"+h.Name+"/x.nix", "hosts/"+h.Name+"/y.nix")
	}
	if s.sub != "" {
		list = append(list, "../../shared/value.nix")
	}
	return list
}

func (s *soak) data() []string {
	list := []string{"README.md", "data/a.txt", "data/b.txt", "data/flag", "data/hosts.json", "data/hosts.toml", "data/dir/1", "data/dir/skip", "hosts/h0/d.txt", "hosts/h1/d.txt"}
	if s.sub != "" {
		list = append(list, "../../shared/data.txt")
	}
	return list
}

func (s *soak) files() []string {
	return slices.Concat([]string{"flake.nix", "lib.nix", "inner/flake.nix", "inner/data.txt"}, s.code(), s.data())
}

func (s *soak) content(name string) string {
	n := s.r.IntN(1000)
	switch name {
	case "flake.nix":
		return s.flake()
	case "lib.nix":
		slurp := "p: \"no\""
		if s.slurp {
			slurp = "p: builtins.readFile p"
		}
		parts := ""
		if s.parts { // names no reader
			parts = "  stem = ./data/hosts;\n  toml = read: p: end: host: (builtins.fromTOML (read (p + end))).${host} or \"none\";\n  above = \"..\";\n"
		}
		return fmt.Sprintf("rec {\n  # %d\n  text = builtins.concatStringsSep \"\\n\";\n  key = file: host: (builtins.fromJSON (builtins.readFile ./data/hosts.json)).${host} or \"none\";\n  slurp = %s;\n%s}\n",
			n, slurp, parts)
	case "inner/flake.nix":
		if s.inputs {
			return fmt.Sprintf("{ inputs.x.url = \"path:%s/ext\"; outputs = { self, x }: { value = \"inner %d\"; text = builtins.readFile ./data.txt + x.value; }; }", s.base, n)
		}
		return fmt.Sprintf("{ outputs = { self }: { value = \"inner %d\"; text = builtins.readFile ./data.txt; }; }", n)
	case "data/flag":
		return pick(s, "1", "0")
	case "data/hosts.json":
		return fmt.Sprintf(`{ "h0": "%d", "h1": "%d", "h2": "%d" }`, s.r.IntN(2), s.r.IntN(2), s.r.IntN(2))
	case "data/hosts.toml":
		return fmt.Sprintf("h0 = \"%d\"\nh1 = \"%d\"\n", s.r.IntN(2), s.r.IntN(2))
	}
	if !strings.HasSuffix(name, ".nix") {
		return strconv.Itoa(s.r.IntN(4))
	}
	lines := []string{fmt.Sprintf("{ self, lib, host, inputs }@args: [\n  # %d", n)}
	if name == "common/default.nix" || strings.HasPrefix(name, "hosts/") && path.Base(name) == "default.nix" {
		lines = append(lines, "  "+s.expr(name), "  "+s.expr(name), "  "+s.expr(name))
	}
	for range s.r.IntN(3) {
		lines = append(lines, "  "+s.expr(name))
	}
	return strings.Join(append(lines, "]"), "\n") + "\n"
}

func (s *soak) flake() string {
	header, args := "", "{ self }"
	if s.inputs {
		header = fmt.Sprintf("  inputs.ext.url = \"path:%s/ext\";\n", s.base)
		if s.sub == "" && s.chance(2) {
			header += "  inputs.inner.url = \"path:./inner\";\n" + pick(s, "", "  inputs.inner.inputs.x.follows = \"ext\";\n")
		}
		if s.chance(2) {
			header += fmt.Sprintf("  inputs.two.url = \"path:%s/two\";\n", s.base) + pick(s, "", "  inputs.two.inputs.x.follows = \"ext\";\n")
		}
		args = "inputs@{ self, ... }"
	}
	if s.world == keptModules && s.newer && !s.chance(4) {
		header += "  inputs.self.submodules = true;\n"
	}
	bind, about := "inputs = { inherit self; };", ""
	if s.inputs {
		bind, about = "", " ++ [ ((inputs.ext.about or (given: \"none\")) { inherit self; }) ]"
	}
	host := pick(s, "dir: import dir", "dir: import (./hosts + \"/${builtins.baseNameOf dir}\")")
	list := "{ h0 = mk \"h0\" ./hosts/h0; h1 = mk \"h1\" ./hosts/h1; h2 = mk \"h2\" ./hosts/h2; }"
	if s.chance(2) {
		list = "builtins.mapAttrs (name: _: mk name (./hosts + \"/${name}\")) (builtins.readDir ./hosts)"
	}
	return fmt.Sprintf(`{
  # %d
%s  outputs = %s: let
    %s
    lib = import ./lib.nix;
    load = %s;
    mk = host: dir: { config.system.build.toplevel = derivation {
      name = "nixos-system-${host}"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo >$out" ];
      text = lib.text ((import ./common { inherit self lib host inputs; }) ++ (load dir { inherit self lib host inputs; })%s);
    }; };
  in { nixosConfigurations = %s; };
}
`, s.r.IntN(1000), header, args, bind, host, about, list)
}

// ext is an input that is given the flake, and may use what Nix says of it.
func (s *soak) ext() string {
	return fmt.Sprintf(`{ outputs = { self }: { value = "ext %d"; files = ./.; about = { self }: %s; }; }`, s.r.IntN(3),
		pick(s, `"nothing"`, `"nothing"`, `"nothing"`, `self.rev or self.dirtyRev or "none"`, `self.rev or "none"`, `if self ? rev then self.shortRev else "dirty"`, `self.narHash`, `"${self}"`, `"${builtins.toFile "t" self.narHash}"`))
}

// rel is a path as a file in the tree would write it.
func rel(from, to string) string {
	r, err := filepath.Rel(filepath.Dir(from), to)
	if err != nil { // from a file beside the flake's directory
		return "../sub/flake/" + to
	}
	switch {
	case r == "." || r == "..":
		return r + "/."
	case !strings.HasPrefix(r, "../"):
		return "./" + r
	}
	return r
}

// expr is an expression that is a string, in a file of the tree.
func (s *soak) expr(in string) string {
	text := func(file string) string { return rel(in, file) }
	// Only files that come later, so that nothing imports itself.
	order := []string{"hosts", "common/default.nix", "common/opt.nix", "mods/a.nix", "mods/b.nix", "common/extra.nix"}
	if s.sub != "" {
		order = append(order, "../../shared/value.nix")
	}
	later := func() string {
		if strings.HasPrefix(in, "hosts/") && path.Base(in) == "default.nix" && s.chance(2) {
			return path.Dir(in) + pick(s, "/x.nix", "/y.nix")
		}
		at := slices.Index(order, in)
		if strings.HasPrefix(in, "hosts/") {
			at = 0
		}
		if at < 0 || at+1 >= len(order) {
			return ""
		}
		return order[at+1+s.r.IntN(len(order)-at-1)]
	}
	load := func(file string) string { return fmt.Sprintf("(lib.text (import %s args))", text(file)) }
	files := []string{"data/a.txt", "data/b.txt", "hosts/h0/d.txt", "hosts/h1/d.txt"}
	if s.links {
		files = append(files, "data/link.txt")
	}
	if s.sub != "" {
		files = append(files, "../../shared/data.txt")
	}
	file := pick(s, files...)
	if s.world == keptModules && s.chance(6) {
		if s.chance(2) {
			return fmt.Sprintf("(if builtins.pathExists %[1]s then lib.text (import %[1]s args) else \"no module\")", text("vendor/mod/value.nix"))
		}
		return fmt.Sprintf("(if builtins.pathExists %[1]s then %s else \"no module\")", text("vendor/mod/data.txt"), pick(s, fmt.Sprintf("builtins.readFile %s", text("vendor/mod/data.txt")), fmt.Sprintf("\"${%s}\"", text("vendor"))))
	}
	if s.inputs && s.chance(6) {
		return pick(s, "(inputs.ext.value or \"none\")", "(inputs.inner.text or \"none\")", "(inputs.inner.value or \"none\")", "(inputs.two.value or \"none\")",
			"(if inputs ? ext then builtins.readFile (inputs.ext + \"/data.txt\") else \"none\")", "\"${inputs.ext.files}\"")
	}
	if s.parts && s.chance(5) {
		return s.named(in)
	}
	switch n := s.r.IntN(26); {
	case n < 6:
		next := later()
		if next == "" {
			return `"leaf"`
		}
		return load(next)
	case n < 9:
		return fmt.Sprintf("%q", fmt.Sprint("v", s.r.IntN(4)))
	case n == 9:
		return fmt.Sprintf("(builtins.readFile %s)", text(file))
	case n == 10:
		return fmt.Sprintf("\"${%s}\"", text(pick(s, file, "data/dir", "data", "hosts/h1")))
	case n == 11:
		return fmt.Sprintf("\"${builtins.path { path = %s; name = \"f\"; filter = p: t: builtins.baseNameOf p != \"skip\"; }}\"", text("data/dir"))
	case n == 12:
		return pick(s, "(lib.key 0 host)", fmt.Sprintf("((builtins.fromTOML (builtins.readFile %s)).${host} or \"none\")", text("data/hosts.toml")))
	case n == 13:
		return fmt.Sprintf("(lib.text (builtins.attrNames (builtins.readDir %s)))", text(pick(s, "data", "hosts", "mods")))
	case n == 14 && in == "common/default.nix":
		return "(lib.text (map (n: lib.text (import (./../mods + \"/${n}\") args)) (builtins.attrNames (builtins.readDir ../mods))))"
	case n == 15:
		return fmt.Sprintf("(if builtins.pathExists %s then \"yes\" else \"no\")", text(pick(s, "data/a.txt", "data/new.txt", "common/opt.nix")))
	case n == 16:
		a, b := later(), later()
		if a == "" || b == "" {
			return `"leaf"`
		}
		return fmt.Sprintf("(if builtins.substring 0 1 (builtins.readFile %s) == \"1\" then %s else %s)", text("data/flag"), load(a), load(b))
	case n == 17 && s.self:
		return pick(s, "(self.rev or self.dirtyRev or \"none\")", "(toString self.lastModified)", "(builtins.substring 0 8 self.lastModifiedDate)", "self.narHash",
			"(if self ? rev then \"clean\" else \"dirty\")", fmt.Sprintf("(toString %s)", text("data")), "\"${self}\"", "(builtins.readFile (self + \"/README.md\"))",
			"(builtins.readFile \"${self}/README.md\")", "(let d = ./.; in \"${toString d}/x\")", "(toString (self.revCount or 0))",
			fmt.Sprintf("(if builtins.substring 0 1 (builtins.readFile %s) == \"1\" then self.rev or \"dirty\" else \"off\")", text("data/flag")))
	case n == 18 && s.ifd:
		return fmt.Sprintf("(builtins.readFile (derivation { name = \"ifd\"; system = \"x86_64-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"read x <$src; echo $x >$out\" ]; src = %s; }))", text(file))
	case n == 19 && s.ifd:
		return fmt.Sprintf("(import (derivation { name = \"ifd.nix\"; system = \"x86_64-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"read x <$src; echo \\\"\\\\\\\"$x\\\\\\\"\\\" >$out\" ]; src = %s; }))", text(file))
	case n == 21 && s.ifd:
		built := fmt.Sprintf("(derivation { name = \"ifd\"; system = \"x86_64-linux\"; builder = \"/bin/sh\"; PATH = \"/usr/bin:/bin\"; src = %s; args = [ \"-c\" \"mkdir $out; read x <$src/flag; echo >$out/$x\" ]; })", text("data"))
		return pick(s, "(lib.text (builtins.attrNames (builtins.readDir "+built+")))", "(if builtins.pathExists ("+built+" + \"/1\") then \"yes\" else \"no\")")
	case n == 20 && s.slurp:
		return fmt.Sprintf("(lib.slurp %s)", text(file))
	case n == 22:
		return fmt.Sprintf("(builtins.readFile (%s + \"/%s\"))", text("data"), pick(s, "a.txt", "b.txt"))
	case n == 23 && s.chance(2):
		return fmt.Sprintf("\"${builtins.toFile \"t\" \"see ${%s}.\"}\"", text(pick(s, file, "data/dir", "mods")))
	case n == 23:
		return fmt.Sprintf("(let p = %s; in \"${p}\")", text(file))
	case n == 24:
		return pick(s, fmt.Sprintf("(__readFile %s)", text(file)), fmt.Sprintf("(__readFile (%s + \"/a.txt\"))", text("data")), fmt.Sprintf("(__hashFile \"sha256\" %s)", text(file)))
	case n == 25:
		return fmt.Sprintf("(builtins.readFile (%s + \".txt\"))", text(pick(s, "data/a", "data/b")))
	}
	return `"plain"`
}

// named is an expression that takes the host's part of a file whose name is put together.
func (s *soak) named(in string) string {
	part := func(read string) string { return fmt.Sprintf("((builtins.fromTOML (%s)).${host} or \"none\")", read) }
	data, stem := rel(in, "data"), rel(in, "data/hosts")
	up := data // in a string, and from one that another file has
	if !strings.HasPrefix(up, "../") {
		up = "../" + path.Base(path.Dir(in)) + "/" + up
	}
	if s.chance(30) { // of such a host nothing is foretold
		return part(fmt.Sprintf("builtins.${\"read\" + \"File\"} (%s + \".toml\")", stem))
	}
	return pick(s,
		part(fmt.Sprintf("__readFile (%s + \"/hosts.toml\")", data)),
		part(fmt.Sprintf("let r = __readFile; in r (%s + \".toml\")", stem)),
		part(fmt.Sprintf("builtins.readFile (%s + \".toml\")", stem)),
		part(fmt.Sprintf("let p = %s; in builtins.readFile \"${toString p}.toml\"", stem)),
		part(fmt.Sprintf("builtins.readFile (./. + \"/%s/hosts.toml\")", up)),
		part(fmt.Sprintf("builtins.readFile (./. + \"/${lib.above}/%s/hosts.toml\")", strings.TrimPrefix(up, "../"))),
		part(fmt.Sprintf("builtins.readFile ./${lib.above}/%s/hosts.toml", strings.TrimPrefix(up, "../"))),
		part("builtins.readFile (lib.stem + \".toml\")"),
		part("__readFile \"${dirOf lib.stem}/hosts.toml\""),
		fmt.Sprintf("(lib.toml __readFile %s \"/hosts.toml\" host)", data),
		fmt.Sprintf("(lib.toml builtins.readFile %s \".toml\" host)", stem),
		fmt.Sprintf("(with builtins; lib.toml readFile %s \".toml\" host)", stem),
		fmt.Sprintf("(lib.toml builtins.readFile ./. \"/%s/hosts.toml\" host)", up),
		"(lib.toml (p: __readFile p) lib.stem \".toml\" host)",
	)
}
