package fleet

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nixflotilla/flotilla/sshpool"
)

// trustScript answers whether Nix's daemon trusts the remote user, as JSON; "ping" is
// what "info" was called before Nix 2.19. No arguments.
const trustScript = `nix() { command nix --extra-experimental-features nix-command store "$1" --json 2>/dev/null; }
nix info || nix ping`

// untrusted reports whether the host's Nix is known not to trust the remote user,
// which then may not bring it paths that are not signed.
func untrusted(ctx context.Context, conn Remote) bool {
	res, err := conn.Run(ctx, sshpool.Cmd{Script: trustScript})
	return err == nil && saysUntrusted(res.Stdout)
}

// saysUntrusted reads `nix store info --json`, whose trusted is a number up to Nix
// 2.26 and a boolean later.
func saysUntrusted(text []byte) bool {
	var info struct{ Trusted any }
	if json.Unmarshal(text, &info) != nil {
		return false
	}
	return info.Trusted == false || info.Trusted == 0.0
}

// untrustedError says what to do about a remote user whom Nix does not trust.
func untrustedError(err error, user string) error {
	who := or(user, "the remote user")
	return &hintedError{fmt.Errorf("the host's Nix does not trust %s, and takes no unsigned paths from them: %w", who, err),
		fmt.Sprintf(`add %q to nix.settings.trusted-users there (by another way, once), or sign what is built here (nix.settings.secret-key-files here, trusted-public-keys there), or let it fetch from a cache whose key it trusts (substitute-on-target), or set build-host = "target"`, who)}
}
