package peers

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

//go:embed nixpkgs.sh
var withNixpkgs string

// real makes every host's system one for which a NixOS of nixpkgs, a Git repository of
// this machine, must be evaluated, and nothing of it built: its derivation is a text in
// /etc.
func (p *peers) real(ctx context.Context, nixpkgs string) error {
	dir, err := os.MkdirTemp("", "flotilla-peers-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bundle := filepath.Join(dir, "nixpkgs")
	if _, err := proc.Run(ctx, proc.Cmd{Argv: []string{"git", "-C", nixpkgs, "bundle", "create", "--quiet", bundle, "HEAD"}}); err != nil {
		return err
	}
	file, err := os.Open(bundle)
	if err != nil {
		return err
	}
	defer file.Close()
	const put = "mkdir -p /root/peers && rm -rf /root/peers/nixpkgs && cat >/root/peers/nixpkgs.bundle && git clone --quiet /root/peers/nixpkgs.bundle /root/peers/nixpkgs && rm /root/peers/nixpkgs.bundle"
	if _, err := p.lab.Exec(ctx, lab.ExecOptions{Argv: []string{"/bin/sh", "-c", put}, Stdin: file}); err != nil {
		return err
	}
	_, err = p.sh(ctx, withNixpkgs)
	return err
}
