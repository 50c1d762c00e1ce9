package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// adminDirs are missing from the PATH of some root shells (su without -).
const adminDirs = "/usr/sbin:/sbin"

func toolPath(name string) (string, error) {
	path, err := proc.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range filepath.SplitList(adminDirs) {
		full := filepath.Join(dir, name)
		if info, statErr := os.Stat(full); statErr == nil && info.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", err
}

// tool runs a program of this machine in a predictable environment.
func tool(ctx context.Context, c proc.Cmd) (proc.Result, error) {
	if path, err := toolPath(c.Argv[0]); err == nil {
		c.Argv = append([]string{path}, c.Argv[1:]...)
	}
	c.Env = toolEnv(c.Env...)
	return proc.Run(ctx, c)
}

func toolEnv(settings ...string) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	return proc.Environ(append([]string{"LC_ALL=C.UTF-8", "PATH=" + path + ":" + adminDirs}, settings...)...)
}

func run(ctx context.Context, argv ...string) error {
	_, err := tool(ctx, proc.Cmd{Argv: argv})
	return err
}

// runInput gives a program, such as a batch-reading ip(8), its input.
func runInput(ctx context.Context, input string, argv ...string) error {
	_, err := tool(ctx, proc.Cmd{Argv: argv, Stdin: strings.NewReader(input)})
	return err
}
