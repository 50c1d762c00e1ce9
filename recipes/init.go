package recipes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

const magefileName = "magefile.go"

// magefile is the text of a magefile that has every recipe. %s is a host.
const magefile = `//go:build mage

// The targets of this flake: every recipe of Flotilla.
package main

//mage:import
import _ "github.com/nixflotilla/flotilla/recipes"

// A target of one's own is a function with a comment. This one makes ` + "`mage up`" + `
// deploy a host; it needs imports of "context" and, without the underscore, of
// the recipes:
//
//	// Up deploys %[1]s
//	func Up(ctx context.Context) error { return recipes.QuickDeploy(ctx, %[1]q, nil, nil, nil, nil, nil, nil, nil) }
`

// Init writes fleet.toml and magefile.go for the flake here, and overwrites nothing
//
// The hosts are those of the flake's nixosConfigurations. Afterwards it says what
// to run for `go tool mage -l`.
func Init(ctx context.Context) error {
	f, err := open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	var text string
	var hosts []string
	err = put(ctx, func(ctx context.Context, s session) (err error) {
		if _, statErr := os.Lstat(filepath.Join(f.Inventory.Dir, fleet.FileName)); statErr == nil {
			selected, err := s.fleet.Select(ctx, everyone)
			for _, h := range selected {
				hosts = append(hosts, h.Name)
			}
			return err
		}
		text, hosts, err = s.fleet.Draft(ctx)
		return err
	}, session{fleet: f})
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		hosts = []string{"HOST"}
	}
	written, err := writeNew(f.Inventory.Dir, fleet.FileName, text, fmt.Sprintf("%d hosts: %s", len(hosts), strings.Join(hosts, ", ")))
	if err != nil {
		return failure(err)
	}
	also, err := writeMagefile(f.Inventory.Dir, fmt.Sprintf(magefile, hosts[0]))
	if err != nil {
		return failure(err)
	}
	nextSteps(f.Inventory.Dir, written || also)
	return nil
}

// writeMagefile writes the magefile unless the repository has targets.
func writeMagefile(dir, text string) (bool, error) {
	if info, err := os.Stat(filepath.Join(dir, "magefiles")); err == nil && info.IsDir() {
		tell("magefiles/ is there: %s is not needed; import the recipes in one of its files, with //mage:import before", magefileName)
		return false, nil
	}
	return writeNew(dir, magefileName, text, "imports every recipe")
}

// writeNew writes a file that is not there yet, and says what is there now.
func writeNew(dir, name, text, what string) (written bool, err error) {
	path := filepath.Join(dir, name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		tell("%s is there already, and stays as it is", name)
		return false, nil
	case err != nil:
		return false, err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return false, errors.Join(err, os.Remove(path)) // half of it would be taken for all
	}
	tell("%s is written: %s", name, what)
	return true, nil
}

// nextSteps says what is left to do.
func nextSteps(dir string, written bool) {
	tell("")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		tell("Next, in %s:", dir)
		tell("  go mod init %s", "example.org/"+moduleName(filepath.Base(dir)))
	} else {
		tell("go.mod is there already. If it does not have Flotilla yet, in %s:", dir)
	}
	tell("  go get github.com/nixflotilla/flotilla/recipes")
	tell("  go get -tool github.com/magefile/mage")
	tell("  go tool mage -l")
	tell("With a checkout of Flotilla instead of a published version, before the first go get:")
	tell("  go mod edit -replace github.com/nixflotilla/flotilla=/path/to/checkout")
	if !written {
		return
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		tell("Then git add what is new. Nix sees only files that Git tracks: these it does")
		tell("not need, but every .nix file must be tracked to take part.")
	}
}

func tell(format string, args ...any) {
	fmt.Fprintln(os.Stdout, ui.Harmless(fmt.Sprintf(format, args...), onActions()))
}

// moduleName is a directory's name as the end of a module's path.
func moduleName(dir string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, strings.ToLower(dir))
	if name = strings.Trim(name, "-_"); name == "" {
		return "fleet"
	}
	return name
}
