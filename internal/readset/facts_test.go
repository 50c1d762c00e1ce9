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
		"../../.":                              {Under: []string{""}},
		"../../../out":                         {Under: []string{""}},
		`url = "https://example.org/x"; a = "/etc/y";`: {Paths: nil},
		"readFile ./k.txt":                           {Paths: []string{"hosts/a/k.txt"}, Read: []string{"hosts/a/k.txt"}},
		"importJSON (./k + \"/x\")":                  {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"hashFile \"sha256\" ./k":                    {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"readFile ./k/${n}":                          {Under: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"readFile \"${./k}/x\"":                      {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"map readFile [ ./k ]":                       {Paths: []string{"hosts/a/k"}, Reads: true},
		"let inherit (builtins) match readFile; in":  {},
		"inherit (builtins) match readFile;":         {Reads: true},
		"let r = { inherit (builtins) readFile; };":  {Reads: true},
		"{ # let me\ninherit (builtins) readFile; }": {Reads: true},
		"inherit (lib) readFile; in map readFile x":  {Reads: true},
		"{ readFile, x }: x":                         {Reads: true},
		"rec { inherit readFile; }":                  {Reads: true},
		"readFileType p":                             {},
		"readDir ./k":                                {Paths: []string{"hosts/a/k"}},
		"self.rev or \"dirty\"":                      {Metadata: true},
		"inherit (self) shortRev;":                   {Metadata: true},
		"inherit (self) rev outPath;":                {Climbs: true, Under: []string{""}, Metadata: true},
		"a.outPath":                                  {Metadata: true},
		"\"nixpkgs=${inputs.nixpkgs.outPath}\"":      {Strings: true},
		"inputs.self.outPath":                        {Under: []string{""}, Metadata: true},
		"inputs.nixpkgs.rev":                         {Metadata: true},
		"v ? outPath":                                {},
		"fetchFromGitHub { rev = version; }":         {},
		"a.rev == b":                                 {Metadata: true},
		"{ self, lib, ... }: { }":                    {},
		"specialArgs = { inherit inputs self; };":    {},
		"self.nixosModules.x":                        {},
		"substring 0 8 self.lastModifiedDate":        {Metadata: true, Dates: true},
		"\"${self}/x\"":                              {Under: []string{""}, Metadata: true},
		"self + \"/x\"":                              {Under: []string{""}, Metadata: true},
		"inputs.self":                                {Under: []string{""}, Metadata: true},
		"flake = self;":                              {Under: []string{""}, Metadata: true},
		"f self":                                     {Under: []string{""}, Metadata: true},
		"self-hosted":                                {},
		"dirOf ./y":                                  {Paths: []string{"hosts/a/y"}, Climbs: true, Under: []string{""}},
		"./y + \"/../z\"":                            {Paths: []string{"hosts/a/y"}, Climbs: true, Under: []string{""}},
		"builtins.getFlake x":                        {Metadata: true, Evades: true},
		"toString ./y":                               {Paths: []string{"hosts/a/y"}, Strings: true},
		"self ? rev":                                 {Metadata: true},
		"self.${a}":                                  {Under: []string{""}, Metadata: true, Dates: true},
		"builtins.hashString \"sha256\" \"${./y}\"":  {Paths: []string{"hosts/a/y"}, Read: []string{"hosts/a/y"}},
		"unsafeDiscardStringContext (f ./y)":         {Paths: []string{"hosts/a/y"}, Reads: true},
		"\"${./y}/../z\"":                            {Paths: []string{"hosts/a/y"}, Climbs: true, Under: []string{""}},
		"ln -s \"../x\"":                             {Paths: []string{"hosts/x"}, Under: []string{""}, Climbs: true},
		"/. + \"x\"":                                 {Climbs: true, Under: []string{""}},
		"\"${toString ./.}/x\" __curPos":             {Paths: []string{"hosts/a"}, Climbs: true, Under: []string{""}, Metadata: true, Strings: true},
		"readFile (./k)\n++ readFile (head [ ./l ])": {Paths: []string{"hosts/a/k", "hosts/a/l"}, Read: []string{"hosts/a/k"}, Reads: true},
		// Builtins by their other names.
		"__readFile ./k":                          {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"map __readFile [ ./k ]":                  {Paths: []string{"hosts/a/k"}, Reads: true},
		"__hashFile \"sha256\" ./k":               {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"__unsafeDiscardStringContext \"${./k}\"": {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"__getFlake x":                            {Metadata: true, Evades: true},
		"__toPath x":                              {Under: []string{""}, Climbs: true},
		"__unsafeGetAttrPos \"a\" x":              {Under: []string{""}, Climbs: true, Metadata: true},
		"__dirOf ./y":                             {Paths: []string{"hosts/a/y"}, Under: []string{""}, Climbs: true},
		"my__readFile x":                          {},
		"builtins.${x}":                           {Evades: true},
		"builtins.\"read${x}\"":                   {Evades: true},
		"builtins.\"readFile\" x":                 {Reads: true},
		"getAttr (\"read\" + x) builtins":         {Evades: true},
		"lib.attrValues builtins.x":               {},
		// A string may complete a name, or lead up.
		"readFile (./k + \".yml\")":                  {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"readFile (\n./k\n+ x)":                      {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"readFile \"${./k}\"":                        {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"readFile (./. + \"/../b/x\")":               {Paths: []string{"hosts/a"}, Under: []string{""}, Begun: []string{"hosts/a"}, Climbs: true},
		"h = \"../b\";":                              {Paths: []string{"hosts/b"}, Under: []string{""}, Climbs: true},
		"h = \"..\";":                                {Under: []string{""}, Climbs: true},
		"h = ''../b'';":                              {Paths: []string{"hosts/b"}, Under: []string{""}, Climbs: true},
		"h = \"sub/../../b\";":                       {Paths: []string{"hosts/b"}, Under: []string{""}, Climbs: true},
		"h = \"${x}/../../b\";":                      {Under: []string{""}, Climbs: true},
		"{ lib, ... }: [ ../. ../../b ./../c ] # ..": {Paths: []string{"b", "hosts", "hosts/c"}},
		"x = \"a...b ..c d..\";":                     {},
		"\".. /x\" a.\"../..\"":                      {Under: []string{""}, Climbs: true},
		"shellAliases = { \"..\" = \"cd ..\"; \"../..\"=\"cd ../..\"; };": {Under: []string{""}},
		"\"..\" == x":                    {Under: []string{""}, Climbs: true},
		"''ln -s \"../$1\" \"$out\"''":   {Paths: []string{"hosts"}},
		"./. + \"/../${x}\"":             {Paths: []string{"hosts/a"}, Under: []string{""}, Climbs: true},
		"locateDominatingFile \"x\" ./y": {Paths: []string{"hosts/a/y"}, Under: []string{""}, Climbs: true},
		"lib.path.splitRoot ./y":         {Paths: []string{"hosts/a/y"}, Under: []string{""}, Climbs: true},
		// What follows a reader that is handed to a function is not all that this reads.
		"f readFile ./k \".yml\"":                                                 {Paths: []string{"hosts/a/k"}, Reads: true},
		"f x.y builtins.readFile ./k":                                             {Paths: []string{"hosts/a/k"}, Reads: true},
		"f (x) lib.readFile ./k":                                                  {Paths: []string{"hosts/a/k"}, Reads: true},
		"f /* x: */ readFile ./k \".yml\"":                                        {Paths: []string{"hosts/a/k"}, Reads: true},
		"f # of x:\nreadFile ./k \".yml\"":                                        {Paths: []string{"hosts/a/k"}, Reads: true},
		"f\n  # (of\n  # x (\n readFile ./k x":                                    {Paths: []string{"hosts/a/k"}, Reads: true},
		"f " + strings.Repeat(" ", near) + "readFile ./k x":                       {Paths: []string{"hosts/a/k"}, Reads: true},
		"f (/* of x */ readFile ./k)":                                             {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"x = \"a#b\"\n  + readFile ./k":                                           {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"x =\n  # Of x.\n  # (And y.)\n  readFile ./k":                            {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"# Of x.\nreadFile ./k":                                                   {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"f ''\n  # (\n'' readFile ./k":                                            {Paths: []string{"hosts/a/k"}, Reads: true},
		"f x # readFile ./k":                                                      {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"f x.y or readFile ./k \".yml\"":                                          {Paths: []string{"hosts/a/k"}, Reads: true},
		"f /* " + strings.Repeat("x ", near) + "*/ readFile ./k x":                {Paths: []string{"hosts/a/k"}, Reads: true},
		"f # " + strings.Repeat("x ", near) + ":\nreadFile ./k x":                 {Paths: []string{"hosts/a/k"}, Reads: true},
		"x =\n  # " + strings.Repeat("x ", near/2) + "\n  readFile ./k":           {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"f # " + strings.Repeat("x ", 3*near) + ":\nreadFile ./k x":               {Paths: []string{"hosts/a/k"}, Reads: true},
		"x = y // readFile ./k":                                                   {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"(x).readFile ./k":                                                        {Paths: []string{"hosts/a/k"}, Reads: true},
		"[ readFile ./k ]":                                                        {Paths: []string{"hosts/a/k"}, Reads: true},
		"fromJSON (lib.strings . fileContents ./k)":                               {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"if readFile ./k == x then readFile ./l else a: readFile ./m":             {Paths: []string{"hosts/a/k", "hosts/a/l", "hosts/a/m"}, Read: []string{"hosts/a/k", "hosts/a/l", "hosts/a/m"}},
		"x = a + readFile ./k; y = \"${readFile ./l}\"; z = with x; readFile ./m": {Paths: []string{"hosts/a/k", "hosts/a/l", "hosts/a/m"}, Read: []string{"hosts/a/k", "hosts/a/l", "hosts/a/m"}},
		// What is read goes on only within the brackets.
		"readFile ./k + x":                       {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"(readFile ./k) ++ (readFile (./l)) + x": {Paths: []string{"hosts/a/k", "hosts/a/l"}, Read: []string{"hosts/a/k", "hosts/a/l"}},
		"readFile ((./k) + x)":                   {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		// The flake, where code of inputs is given it, or as one of the inputs.
		"clan-core.lib.clan { inherit self; }":                       {Under: []string{""}},
		"x = a.b { y = 1;\n inherit (z) u; inherit inputs self; }":   {Under: []string{""}},
		"import ./y.nix { inherit self; }":                           {Paths: []string{"hosts/a/y.nix"}},
		"a.b { inherit (self) overlays; inherit (x) y; }":            {},
		"a.specialArgs = { inherit self; }":                          {},
		"mapAttrs (_: i: readFile (i + \"/x\")) inputs":              {Under: []string{""}, Reads: true},
		"readFile (inputs.${x} + \"/x\")":                            {Under: []string{""}, Reads: true},
		"readFile (inputs.x + \"/x\")":                               {Reads: true},
		"mapAttrs (_: i: i.x) inputs":                                {},
		"f = { inputs, ... }: mapAttrs (_: readFile) inputs.x.files": {Reads: true},
		// The flake where an argument's name ends likewise, under another name, and out of its source.
		"readFile \"${toString self}/x.json\"":                              {Under: []string{""}, Metadata: true, Strings: true, Reads: true},
		"{ root ? self, lib }: root":                                        {Under: []string{""}, Metadata: true},
		"{ lib, root ? self }: root":                                        {Under: []string{""}, Metadata: true},
		"{ a, self }: a":                                                    {},
		"{\n  # The flake\n  self,\n  a }: a":                               {},
		"x = self: super: { }; # self, def f(self, x):":                     {},
		"inherit (self.sourceInfo) outPath;":                                {Under: []string{""}, Climbs: true, Metadata: true, Dates: true},
		"inherit (self.sourceInfo) rev;":                                    {Metadata: true, Dates: true},
		"{ flake, ... }: readFile \"${flake}/x.json\"":                      {Under: []string{""}, Metadata: true, Reads: true},
		"readFile (flake.outPath + \"/x.json\")":                            {Under: []string{""}, Metadata: true, Reads: true},
		"x = flake + /x.json;":                                              {Under: []string{""}, Metadata: true},
		"flake.lib.x + \"nix run ${flake}#a ${my-flake}/b ${cfg.flake}/c\"": {},
		// A path that is taken apart as a text.
		"readFile (replaceStrings [ \".nix\" ] [ \".yml\" ] (toString ./y.nix))":                                {Paths: []string{"hosts/a/y.nix"}, Under: []string{""}, Climbs: true, Strings: true, Reads: true},
		"pipe ./y.nix [ toString\n(removeSuffix \".nix\") ]":                                                    {Paths: []string{"hosts/a/y.nix"}, Under: []string{""}, Climbs: true, Strings: true},
		"toString p == splitString \"/\" x; y = \"'${replaceStrings [ \"'\" ] [ \"'\\\\''\" ] (toString x)}'\"": {Under: []string{""}, Climbs: true, Strings: true},
		"\"'${replaceStrings [ \"'\" ] [ \"'\\\\''\" ] (toString x)}'\"":                                        {Strings: true},
		"removePrefix (toString ./.) (toString p)":                                                              {Paths: []string{"hosts/a"}, Strings: true},
		// Others that read.
		"attrNames (builtins.getContext \"${./k}\")":        {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"builtins.narHash ./k":                              {Paths: []string{"hosts/a/k"}, Metadata: true, Read: []string{"hosts/a/k"}},
		"builtins.wasm { path = ./k; }":                     {Paths: []string{"hosts/a/k"}, Reads: true},
		"hardware.facter.reportPath = ./k;":                 {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"reportPath = root + \"/k\";":                       {Reads: true},
		"reportPath = \"${./k}/x\";":                        {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"reportPath = ./k + \"/x\";":                        {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"importNpmLock { npmRoot = ./k; }":                  {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"loadWorkspace { workspaceRoot = ./.; }":            {Paths: []string{"hosts/a"}, Read: []string{"hosts/a"}},
		"base16Scheme = \"${self}/x.yml\"":                  {Under: []string{""}, Metadata: true, Reads: true},
		"projectRoot = \"/srv/x\"; projectDir == x":         {},
		"load { src = ./k; loader = [ matchers.json ]; }":   {Paths: []string{"hosts/a/k"}, Reads: true},
		"x.readYAML ./k":                                    {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"x = ./a/b/../c.nix; y = ./.hidden/f; z = ./a+b-c;": {Paths: []string{"hosts/a/.hidden/f", "hosts/a/a+b-c", "hosts/a/a/c.nix"}},
	} {
		got := Scan(in, text)
		if !slices.Equal(got.Paths, want.Paths) || !slices.Equal(got.Under, want.Under) || !slices.Equal(got.Read, want.Read) || !slices.Equal(got.Begun, want.Begun) || got.Climbs != want.Climbs ||
			got.Reads != want.Reads || got.Metadata != want.Metadata || got.Dates != want.Dates || got.Strings != want.Strings || got.Evades != want.Evades {
			t.Errorf("%q\n got %+v\nwant %+v", text, got, want)
		}
	}
}

// What else a text shows: of code of inputs that reads by itself, and of texts of which a part
// is looked at.
func TestScanOfParts(t *testing.T) {
	const in = "hosts/a/x.nix"
	for text, want := range map[string]Facts{
		"imports = [ inputs.clan-core.flakeModules.default ];": {Under: []string{""}, Parts: true},
		"clan = 1; x = clan-cored;":                            {},
		"nix-gitignore.gitignoreSource [ ] ./y":                {Paths: []string{"hosts/a/y"}, Ignores: true},
		"inherit (inputs.gitignore.lib) gitignoreSource;":      {Ignores: true},
		"x.source = ./.gitignore; # gitignored":                {Paths: []string{"hosts/a/.gitignore"}},
		"head (splitString \"\\n\" x)":                         {Apart: true},
		"hasPrefix \"_\" x":                                    {},
		"hasPrefix \"_\" (readFile x)":                         {Apart: true, Reads: true, Text: true},
		"builtins.match \"(.*)-web\" \"${./web}\"":             {Paths: []string{"hosts/a/web"}, Turned: []string{"hosts/a/web"}, Apart: true},
		"builtins.match \"(.*)-web\" \"${../../.}\"":           {Under: []string{""}, Metadata: true, Apart: true},
		"x.source = \"${./web}/y\";":                           {Paths: []string{"hosts/a/web"}},
		"\"${./k}\" == \"${ ./l }\"":                           {Paths: []string{"hosts/a/k", "hosts/a/l"}, Read: []string{"hosts/a/k", "hosts/a/l"}},
		"x = a == b; y = \"${./k}\";":                          {Paths: []string{"hosts/a/k"}},
		"hostName = baseNameOf ./.;":                           {Paths: []string{"hosts/a"}},
		"substring 0 8 (baseNameOf ../../.)":                   {Under: []string{""}, Metadata: true, Apart: true},
		"substring 11 8 (toString ./k)":                        {Paths: []string{"hosts/a/k"}, Metadata: true, Strings: true, Apart: true},
		// What is read goes on by what is not a "+" right after it.
		"readFile (./k # x\n+ \".yml\")":      {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}, Reads: true, Text: true, Code: []string{"hosts/a/k"}},
		"readFile (./k |> (p: p + \".yml\"))": {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}, Reads: true, Text: true, Code: []string{"hosts/a/k"}},
		"readFile \"${./k + \".yml\"}\"":      {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}, Reads: true, Text: true, Code: []string{"hosts/a/k"}},
		"reportPath = ./k |> f;":              {Paths: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}, Reads: true},
		"readFile ./k |> fromJSON":            {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"x.importToml ./k":                    {Paths: []string{"hosts/a/k"}, Read: []string{"hosts/a/k"}},
		"scheme = ./k/${n}.yaml;":             {Under: []string{"hosts/a/k"}, Begun: []string{"hosts/a/k"}},
		"scheme = \"https\"; scheme == ./k":   {Paths: []string{"hosts/a/k"}},
		// Attributes of the flake that are no place of it.
		"perSystem = { self', inputs', ... }: self'.packages": {},
		"deployChecks self.deploy":                            {},
		"self: super: { x = self.callPackage ./y { }; }":      {Paths: []string{"hosts/a/y"}},
		"self.sourceInfo":                                     {Under: []string{""}, Metadata: true, Dates: true},
		"perSystem.self.x self.inputs.self":                   {Under: []string{""}, Metadata: true},
	} {
		if got := Scan(in, text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %+v\nwant %+v", text, got, want)
		}
	}
}

// What is read as JSON or TOML, or has a name that ends otherwise, is no code.
func TestScanSparesCode(t *testing.T) {
	for text, spares := range map[string]bool{
		"readFile f": false, "map readFile fs": false, "readFile (f x)": false, "readFile \"${d}/${n}\"": false, "readFile (d + \"/${n}\")": false,
		"map importJSON fs": true, "inherit (lib) importTOML;": true, "lib.importYAML f": false, "fromJSON (builtins.readFile f)": true,
		"fromJSON (head (readFile f))": false, "f |> readFile |> builtins.fromJSON": true, "pipe f [ readFile fromTOML ]": true, "pipe f [ readFile head ]": false,
		"{ inherit (builtins) readFile fromJSON; }": false, "{ inherit (x) y; z = f: pipe f [ readFile fromJSON ]; }": true,
		"readFile (\"${d}/x.\" /* :) */ + n)": false, "f x.y or readFile \"${d}/x.pub\"": false,
		"x.loadYAML.all d": false, "readFile ../k/${n}.pub": true,
		"readFile \"${d}/x.pub\"": true, "readFile \"${d}/x.ni\\x\"": false, "readFile \"${d}/x.nix\"": false, "readFile \"${d}pub\"": false, "readFile \"${d}/pub\"": true, "readFile \"${d}/\"": false,
		"readFile (d + \"/${n}.pub\")": true, "readFile (d + \"/${n}.nix\")": false, "readFile (d + \"/x.pub\" + n)": false, "readFile ((d + \"/${f \"}\"}/x.pub\"))": true,
		"readFile (if c then a else d + \"/x.pub\")": false, "readFile (f (d + \"/x.pub\"))": false, "readFile (d + \"/x.pub\" |> f)": false,
		"readFile (let a = d + \"/x.pub\"; in f a)": false, "readFile (d + \"/x.pub\"": false, "readFile (d # \"\n+ \"/x.pub\")": false, "readFile (d ++ \"/x.pub\")": true,
		"readFile \"${./k}/${n}.pub\"": true, "readFile ./k/${n}.pub": true, "readFile ./k/${n}/wg": true, "readFile ./k/${n}.nix": false, "readFile ./k/${n}": false,
		"readFile (./k + \"/${n}.pub\")": true, "readFile (./k + n)": false, "importJSON (./k + n)": true, "hashFile \"md5\" (d + \"/x.pub\")": false,
		"unsafeDiscardStringContext \"${./k}/x.pub\"": false, "reportPath = ./k/${n}/facter.json;": true, "reportPath = lib.mkIf c d;": true, "npmRoot = ./k + \"/x.d\";": false,
	} {
		f := Scan("hosts/a/x.nix", text)
		if got := !f.Text && len(f.Code) == 0; got != spares || !f.Reads && len(f.Begun) == 0 {
			t.Errorf("%q: %v, %+v", text, got, f)
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
		endsOtherwise(text)
		for _, list := range [][]string{Scan(name, text).Paths, Scan(name, text).Under} {
			if slices.Contains(list, "..") {
				t.Errorf("%q leads out of the tree", list)
			}
		}
	})
}
