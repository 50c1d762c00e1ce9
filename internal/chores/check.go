package chores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// Test runs the linters and every test, the lab's included, with the race
// detector. What that needs and the machine lacks is installed first.
func Test(ctx context.Context) error {
	// The race detector needs a C compiler, the tests of flakes need git.
	if err := lab.Install(ctx, logTo(os.Stderr), "gcc", "libc6-dev", "git"); err != nil {
		return err
	}
	if err := Lint(ctx); err != nil {
		return err
	}
	// Results are not to be taken from go's cache: it does not see what tests have compiled.
	return show(ctx, "go", "test", "-race", "-count=1", "-timeout=40m", "./...")
}

// Soak edits random flakes that many times, with each Nix of the lab, and holds
// every prediction of change detection against an evaluation.
func Soak(ctx context.Context, steps int) error {
	_, err := proc.Run(ctx, proc.Cmd{
		Argv:    []string{"go", "test", "-v", "-count=1", "-timeout=24h", "-run", "^TestSoak$", "./internal/e2e"},
		Env:     proc.Environ(fmt.Sprintf("FLOTILLA_SOAK_STEPS=%d", steps), fmt.Sprintf("FLOTILLA_SOAK_SEED=%d", time.Now().Unix()%1e6)),
		Inherit: true,
	})
	return asExit(err)
}

// Faults runs all of the fault campaign, of which the tests have a choice, so many
// times.
func Faults(ctx context.Context, rounds int) error {
	_, err := proc.Run(ctx, proc.Cmd{
		Argv:    []string{"go", "test", "-v", "-count=1", "-timeout=24h", "-run", "^TestFaults$", "./internal/e2e"},
		Env:     proc.Environ(fmt.Sprintf("FLOTILLA_FAULTS=%d", rounds)),
		Inherit: true,
	})
	return asExit(err)
}

// TestShort runs the linters and the tests that need no lab.
func TestShort(ctx context.Context) error {
	if err := lab.Install(ctx, logTo(os.Stderr), "gcc", "libc6-dev", "git"); err != nil {
		return err
	}
	if err := Lint(ctx); err != nil {
		return err
	}
	return show(ctx, "go", "test", "-race", "-short", "-count=1", "-timeout=5m", "./...")
}

// Lint runs gofmt, vet and staticcheck on all of the repository, the magefiles
// included.
func Lint(ctx context.Context) error {
	if err := formatted(ctx); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"go", "vet", "./..."},
		{"go", "vet", "-tags=mage", "./..."},
		{"go", "tool", "staticcheck", "-tags=mage", "./..."},
	} {
		if err := show(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

// formatted says which Go files gofmt would change.
func formatted(ctx context.Context) error {
	files, err := script.FindFiles(".").MatchRegexp(regexp.MustCompile(`\.go$`)).Slice()
	if err != nil {
		return err
	}
	root, err := proc.Run(ctx, proc.Cmd{Argv: []string{"go", "env", "GOROOT"}})
	if err != nil {
		return err
	}
	gofmt := filepath.Join(strings.TrimSpace(string(root.Stdout)), "bin", "gofmt")
	res, err := proc.Run(ctx, proc.Cmd{Argv: append([]string{gofmt, "-l"}, files...)})
	if err != nil {
		return err
	}
	if list := strings.TrimSpace(string(res.Stdout)); list != "" {
		return fmt.Errorf("not formatted; run gofmt -w on:\n%s", list)
	}
	return nil
}

// show runs a command with this process's own standard streams.
func show(ctx context.Context, argv ...string) error {
	fmt.Fprintln(os.Stderr, "+", strings.Join(argv, " "))
	_, err := proc.Run(ctx, proc.Cmd{Argv: argv, Inherit: true})
	return asExit(err)
}

// exitError makes Mage exit with a command's own exit code.
type exitError struct {
	error
	code int
}

// ExitStatus is what Mage asks an error for.
func (e *exitError) ExitStatus() int { return e.code }

func asExit(err error) error {
	var pe *proc.Error
	if errors.As(err, &pe) && pe.Code > 0 {
		return &exitError{fmt.Errorf("%s: exit code %d", strings.Join(pe.Argv, " "), pe.Code), pe.Code}
	}
	return err
}
