package nixos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// The module does what its options say, in a real NixOS. Nothing is built.
func TestModule(t *testing.T) {
	nixpkgs := os.Getenv("FLOTILLA_TEST_NIXPKGS")
	if nixpkgs == "" {
		t.Skip("FLOTILLA_TEST_NIXPKGS names no directory of nixpkgs")
	}
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"nix-instantiate", "--eval", "--strict", "--json",
		filepath.Join("testdata", "host.nix"), "--arg", "nixpkgs", nixpkgs}})
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	type scrape struct {
		Job     string  `json:"job_name"`
		Honor   *bool   `json:"honor_labels"`
		Timeout *string `json:"scrape_timeout"`
		Targets []string
	}
	var host struct {
		Complaints, ComplaintsOfWrong        []string
		Toplevel, Unit, Gitconfig, SSHConfig string
		Credential, Rules                    []string
		Ports                                []int
		Scrapes                              []scrape
		Pushgateway                          struct{ Enable, PersistMetrics bool }
		Dashboards                           []struct{ Name, Text, Destination string }
		Nothing                              map[string]any
		Package                              struct{ Drv, OutputHash, MainProgram string }
	}
	if err := json.Unmarshal(res.Stdout, &host); err != nil {
		t.Fatalf("%v\n%s", err, res.Stdout)
	}
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(text, p) {
				t.Errorf("%s does not say %q:\n%s", what, p, text)
			}
		}
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	if len(host.Complaints) > 0 || len(host.ComplaintsOfWrong) != 1 {
		t.Errorf("complaints %q, of a directory below /home %q", host.Complaints, host.ComplaintsOfWrong)
	}
	has("the toplevel", host.Toplevel, "/nix/store/", "nixos-system-", ".drv")
	has("the unit", host.Unit, `/bin/flotilla" "metrics" "-serve=127.0.0.1:9479" "-on=@server,!p510"`, "WorkingDirectory=/srv/fleet",
		"LoadCredential=ssh-key:/var/lib/secrets/flotilla-exporter", "DynamicUser=true", "CapabilityBoundingSet=\n", "ProtectHome=true",
		"StateDirectory=flotilla-exporter", "git-minimal", "openssh", "-nix-2.")
	has("Git's settings", host.Gitconfig, "[safe]", "directory = /srv/fleet")
	has("ssh's settings", host.SSHConfig, "Match localuser flotilla-exporter\n  IdentityFile /run/credentials/flotilla-exporter.service/ssh-key\n  IdentitiesOnly yes\n")
	if before, _, _ := strings.Cut(host.SSHConfig, "Match localuser"); !strings.Contains(before, "Compression no") {
		t.Errorf("the match takes in what others wrote:\n%s", host.SSHConfig)
	}
	if _, after, _ := strings.Cut(host.SSHConfig, "IdentitiesOnly yes"); !strings.Contains(after, "Host *") {
		t.Errorf("the match does not end:\n%s", host.SSHConfig)
	}
	equal("ports", host.Ports, []int{9479})
	equal("rules", host.Rules, []string{read("../metrics/rules.yml")})
	yes, thirty := true, "30s"
	equal("scrapes", host.Scrapes, []scrape{{"flotilla", host.Scrapes[0].Honor, &thirty, []string{"127.0.0.1:9479"}},
		{"flotilla-pushgateway", &yes, nil, []string{"127.0.0.1:9091"}}})
	if !host.Pushgateway.Enable || !host.Pushgateway.PersistMetrics {
		t.Errorf("%+v", host.Pushgateway)
	}
	if len(host.Dashboards) != 1 || host.Dashboards[0].Text != read("../metrics/dashboard.json") || host.Dashboards[0].Destination != "/flotilla.json" {
		t.Errorf("%+v", host.Dashboards)
	}
	equal("without the module's options", host.Nothing, map[string]any{"exporter": false, "rules": []any{}, "scrapes": []any{}, "grafana": false, "ssh": ""})
	has("the package", host.Package.Drv, "/nix/store/", "-flotilla-", ".drv")
	has("package.nix", read("package.nix"), `vendorHash = "`+host.Package.OutputHash+`"`)
	equal("main program", host.Package.MainProgram, "flotilla")
}
