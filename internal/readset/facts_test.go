package readset

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	const in = "hosts/a/x.nix"
	for text, want := range map[string]Facts{
		"imports = [ ./y.nix ../../modules ];": {Paths: []string{"hosts/a/y.nix", "modules"}},
		"imports = [ sub/y.nix ];":             {Paths: []string{"hosts/a/sub/y.nix"}},
		"# see ./y.nix":                        {Paths: []string{"hosts/a/y.nix"}},
		"./../b/${name}/z.nix":                 {Under: []string{"hosts/b"}},
		"./pre${name}.nix ./${name}":           {Under: []string{"hosts/a"}},
		"./.":                                  {Paths: []string{"hosts/a"}},
		"../../.":                              {Under: []string{""}, Metadata: true},
		"../../../out":                         {Under: []string{""}, Metadata: true},
		"{ lib, ... }: [ ../. ../../b ./../c ] # ..":        {Paths: []string{"b", "hosts", "hosts/c"}},
		"x = ./a/b/../c.nix; y = ./.hidden/f; z = ./a+b-c;": {Paths: []string{"hosts/a/.hidden/f", "hosts/a/a+b-c", "hosts/a/a/c.nix"}},
		`url = "https://example.org/x"; a = "/etc/y";`:      {},
		"f: readFile f": {},
		// What Nix says of the tree.
		"self.rev or \"dirty\"":                 {Metadata: true},
		"inherit (self) shortRev;":              {Metadata: true},
		"inherit (self) rev outPath;":           {Metadata: true},
		"inherit (self.sourceInfo) outPath;":    {Metadata: true, Dates: true},
		"inherit (self.sourceInfo) rev;":        {Metadata: true, Dates: true},
		"a.outPath":                             {Metadata: true},
		"a.rev == b":                            {Metadata: true},
		"self ? rev":                            {Metadata: true},
		"self.${a}":                             {Metadata: true, Dates: true},
		"self.sourceInfo":                       {Metadata: true, Dates: true},
		"substring 0 8 self.lastModifiedDate":   {Metadata: true, Dates: true},
		"inputs.nixpkgs.rev":                    {Metadata: true},
		"inputs.self.outPath":                   {Metadata: true},
		"\"nixpkgs=${inputs.nixpkgs.outPath}\"": {Strings: true},
		"v ? outPath":                           {},
		"fetchFromGitHub { rev = version; }":    {},
		"builtins.getFlake x":                   {Metadata: true},
		"__getFlake x":                          {Metadata: true},
		"builtins.narHash ./k":                  {Paths: []string{"hosts/a/k"}, Metadata: true},
		"\"${toString ./.}/x\" __curPos":        {Paths: []string{"hosts/a"}, Metadata: true, Strings: true, Places: true},
		"__unsafeGetAttrPos \"a\" x":            {Metadata: true},
		// The flake itself.
		"{ self, lib, ... }: { }":                 {},
		"specialArgs = { inherit inputs self; };": {},
		"self.nixosModules.x":                     {},
		"\"${self}/x\"":                           {Metadata: true},
		"self + \"/x\"":                           {Metadata: true},
		"inputs.self":                             {Metadata: true},
		"flake = self;":                           {Metadata: true},
		"f self":                                  {Metadata: true},
		"perSystem.self.x self.inputs.self":       {Metadata: true},
		"perSystem = { self', inputs', ... }: self'.packages": {},
		"deployChecks self.deploy":                            {},
		"self: super: { x = self.callPackage ./y { }; }":      {Paths: []string{"hosts/a/y"}},
		"self-hosted":                                                       {},
		"readFile \"${toString self}/x.json\"":                              {Metadata: true, Strings: true},
		"{ root ? self, lib }: root":                                        {Metadata: true},
		"{ lib, root ? self }: root":                                        {Metadata: true},
		"{ a, self }: a":                                                    {},
		"{\n  # The flake\n  self,\n  a }: a":                               {},
		"x = self: super: { }; # self, def f(self, x):":                     {},
		"{ flake, ... }: readFile \"${flake}/x.json\"":                      {Metadata: true},
		"readFile (flake.outPath + \"/x.json\")":                            {Metadata: true},
		"x = flake + /x.json;":                                              {Metadata: true},
		"flake.lib.x + \"nix run ${flake}#a ${my-flake}/b ${cfg.flake}/c\"": {},
		// Any input, of which it is one.
		"mapAttrs (_: i: \"${i}\") inputs":                           {Metadata: true},
		"inputs.${x}.lib":                                            {Metadata: true},
		"f = { inputs, ... }: mapAttrs (_: readFile) inputs.x.files": {},
		// Code of inputs that is given the flake.
		"clan-core.lib.clan { inherit self; }":                     {Metadata: true},
		"imports = [ inputs.clan-core.flakeModules.default ];":     {Metadata: true},
		"clan = 1; x = clan-cored;":                                {},
		"x = a.b { y = 1;\n inherit (z) u; inherit inputs self; }": {Metadata: true},
		"import ./y.nix { inherit self; }":                         {Paths: []string{"hosts/a/y.nix"}},
		"a.b { inherit (self) overlays; inherit (x) y; }":          {},
		"a.specialArgs = { inherit self; }":                        {},
		// Its place, and what hides that.
		"toString ./y": {Paths: []string{"hosts/a/y"}, Strings: true, Places: true},
		"removePrefix (toString ./.) (toString p)":  {Paths: []string{"hosts/a"}, Strings: true, Places: true},
		"substring 11 8 (toString ./k)":             {Paths: []string{"hosts/a/k"}, Metadata: true, Strings: true, Places: true},
		"head (splitString \"0\" (toString ./k))":   {Paths: []string{"hosts/a/k"}, Metadata: true, Strings: true, Places: true},
		"hashString \"sha256\" (toString ./k)":      {Paths: []string{"hosts/a/k"}, Metadata: true, Strings: true, Places: true, Hashes: true},
		"hashString \"sha256\" (toXML ./k)":         {Paths: []string{"hosts/a/k"}, Metadata: true, Places: true, Hashes: true},
		"let p = toString ./k; in substring 11 8 p": {Paths: []string{"hosts/a/k"}, Metadata: true, Strings: true, Places: true},
		"./k + \"/..\"":                                 {Paths: []string{"hosts/a/k"}, Metadata: true},
		"(../../.) + \"/${sub}\"":                       {Under: []string{""}, Metadata: true},
		"hashString \"sha256\" (toJSON inputs)":         {Metadata: true, Hashes: true},
		"hashString \"md5\" config.networking.hostName": {Hashes: true},
		"hostName = baseNameOf ./.;":                    {Paths: []string{"hosts/a"}},
		"substring 0 8 (baseNameOf ../../.)":            {Under: []string{""}, Metadata: true},
		"substring 0 8 (baseNameOf (dirOf ./y))":        {Paths: []string{"hosts/a/y"}, Metadata: true},
		"dirOf ./y":                                     {Paths: []string{"hosts/a/y"}, Metadata: true},
		"(../../.) + \"/hosts\" ../../${x} ../../k":     {Paths: []string{"k"}, Under: []string{""}},
		"builtins.path { path = ../..; }":               {Under: []string{""}, Metadata: true},
		"hashString \"sha256\" \"${../../.}\"":          {Under: []string{""}, Metadata: true, Hashes: true},
		"builtins.match \"(.*)-web\" \"${./web}\"":      {Paths: []string{"hosts/a/web"}},
	} {
		if got := Scan(in, text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %+v\nwant %+v", text, got, want)
		}
	}
}

// BenchmarkScan is a large file that is full of what is looked at closely.
func BenchmarkScan(b *testing.B) {
	text := strings.Repeat("x = self.rev or (f ./a/b self) ? outPath + readFile ./c;\n", 5000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Scan("a.nix", text)
	}
}

func FuzzScan(f *testing.F) {
	f.Add("a/b.nix", "./${x}/../y")
	f.Fuzz(func(t *testing.T, name, text string) {
		for _, list := range [][]string{Scan(name, text).Paths, Scan(name, text).Under} {
			if slices.Contains(list, "..") {
				t.Errorf("%q leads out of the tree", list)
			}
		}
	})
}
