package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// prebuiltFrom is the option -prebuilt=FILE, which FILE "-" reads from standard input, with
// which hosts are meant: all that it names, unless on says so. It is empty without the
// option.
func prebuiltFrom(file, on *string, opt *fleet.DeployOptions) (selector string, err error) {
	if file == nil {
		return text(on, everyone), nil
	}
	input := io.Reader(os.Stdin)
	if *file != "-" {
		f, err := os.Open(*file)
		if err != nil {
			return "", failure(fmt.Errorf("-prebuilt: %w", err))
		}
		defer f.Close()
		input = f
	}
	if opt.Prebuilt, err = fleet.ReadPrebuilt(input); err != nil {
		return "", failure(fmt.Errorf("-prebuilt=%s: %w; it has the lines that buildAllParallel prints", *file, err))
	}
	return text(on, strings.Join(slices.Sorted(maps.Keys(opt.Prebuilt)), ",")), nil
}

// systemOf is the option -toplevel=PATH: a store path, or a link to one such as nix build
// makes. It is empty without the option.
func systemOf(path *string) (nixcmd.StorePath, error) {
	if path == nil {
		return "", nil
	}
	name := *path
	if !strings.HasPrefix(name, nixcmd.StoreDir+"/") {
		if there, err := filepath.EvalSymlinks(name); err == nil {
			name = there
		}
	}
	p, err := nixcmd.ParseStorePath(name)
	if err == nil && p.IsDerivation() {
		err = fmt.Errorf("%s is a derivation, not what it builds", p)
	}
	if err != nil {
		return "", failure(fmt.Errorf("-toplevel: %w", err))
	}
	return p, nil
}

// ofOne is a question for a system that is given: it is one host's.
func ofOne(system nixcmd.StorePath, ask question) question {
	if system == "" {
		return ask
	}
	return func(ctx context.Context, s session) error {
		if len(s.hosts) != 1 {
			return errors.New("-toplevel is the system of one host, and " + names(s.hosts) + " are meant; for several use deployAll or deployAllParallel with -prebuilt=FILE")
		}
		if ask == nil {
			return nil
		}
		return ask(ctx, s)
	}
}

// deployOne is deploy, of a system that is given if there is one.
func deployOne(target string, system nixcmd.StorePath, opt fleet.DeployOptions, dry *bool) action {
	return func(ctx context.Context, s session) *fleet.Report {
		if system != "" {
			opt.Prebuilt = map[string]fleet.Prebuilt{s.hosts[0].Name: {Toplevel: system}}
		}
		return deploy(target, opt, dry)(ctx, s)
	}
}
