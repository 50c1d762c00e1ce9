// Package nixos holds what flake.nix gives NixOS hosts: module.nix, which installs the
// exporter, the alert rules and the dashboard, and package.nix, which builds the
// program. There is no Go in it but their tests.
package nixos
