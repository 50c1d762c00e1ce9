package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

const bookworm = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_CODENAME=bookworm\n"

func TestDebianMirror(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, defaultMirror},
		{"one-line", map[string]string{
			"etc/os-release": bookworm,
			"etc/apt/sources.list": `# deb http://old.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian/ bookworm main contrib # ours
`,
		}, "https://mirror.example/debian"},
		{"deb822", map[string]string{
			"etc/os-release": bookworm,
			"etc/apt/sources.list.d/debian.sources": `Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main

# The one.
Types: deb deb-src
URIs: http://mirror.example/debian
# a remark in between
Suites: bookworm
 bookworm-updates
Components: main
`,
		}, "http://mirror.example/debian"},
		{"disabled", map[string]string{
			"etc/os-release":                     bookworm,
			"etc/apt/sources.list.d/deb.sources": "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n",
		}, defaultMirror},
		{"another vendor's archive", map[string]string{
			"etc/os-release":                     bookworm,
			"etc/apt/sources.list.d/vendor.list": "deb https://vendor.example/apt vendor-bookworm main\n",
		}, defaultMirror},
		{"not fetched over the network", map[string]string{
			"etc/os-release":       bookworm,
			"etc/apt/sources.list": "deb cdrom:[Debian]/ bookworm main\ndeb http://mirror.example/debian bookworm main\n",
		}, "http://mirror.example/debian"},
		{"a relative of Debian has other archives", map[string]string{
			"usr/lib/os-release":   "ID=ubuntu\nVERSION_CODENAME=noble\n",
			"etc/apt/sources.list": "deb http://archive.example/ubuntu noble main\n",
		}, defaultMirror},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, content := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(content)}
			}
			if got := debianMirror(root); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzAptSources(f *testing.F) {
	f.Add("deb [a=b] http://m/d suite main # x\n")
	f.Add("Types: deb\nURIs: u\nSuites: s\n t\nComponents: main\n\n")
	f.Add(" \n:\n\tx")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range append(parseSourcesList(text), parseDeb822(text)...) {
			for _, word := range append(append(s.uris, s.suites...), s.components...) {
				if word == "" || strings.ContainsAny(word, " \t\n") {
					t.Errorf("not a word: %q", word)
				}
			}
		}
	})
}

func TestFetchSettings(t *testing.T) {
	for line, want := range map[string]bool{
		`Acquire::http::Proxy "http://cache.example:3142";`:                true,
		`Acquire::HTTPS::Proxy::private.example "DIRECT";`:                 true,
		`Acquire::http::Proxy-Auto-Detect "/usr/bin/detect";`:              true,
		`Acquire::Check-Valid-Until "false";`:                              true,
		`Acquire::http::Proxy "";`:                                         false,
		`Acquire::Languages "none";`:                                       false,
		`DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";`:       false,
		`Dir::Etc::Parts "/etc/apt/apt.conf.d";`:                           false,
		`Acquire::AllowInsecureRepositories "1";`:                          false,
		`APT::Sandbox::Acquire::http::Proxy "http://not-a-proxy.example";`: false,
	} {
		if got := isFetchSetting(line + "\n"); got != want {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
	}
}
