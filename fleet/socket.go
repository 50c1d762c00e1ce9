package fleet

import (
	"context"

	"github.com/nixflotilla/flotilla/sshpool"
)

// PassSocket is what the program of Config.SocketProgram does with the arguments that are
// appended to it: sshpool.PassSocket.
func PassSocket(ctx context.Context, args []string) error { return sshpool.PassSocket(ctx, args) }
