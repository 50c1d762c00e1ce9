package recipes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// outFile is a file that is put in place when it is complete. nil is none, of which
// nothing is written.
type outFile struct {
	option, path string
	tmp          *os.File
}

// outFiles are those of one recipe.
type outFiles struct {
	all []*outFile
	// err is of the first that cannot be written.
	err error
}

// create finds out at the beginning whether the file that an option names can be
// written. Without the option it is nil.
func (f *outFiles) create(option string, path *string) *outFile {
	if path == nil || f.err != nil {
		return nil
	}
	o, err := createOut(option, *path)
	if f.err = err; err != nil {
		return nil
	}
	f.all = append(f.all, o)
	return o
}

// drop removes what was not put in place.
func (f *outFiles) drop() {
	for _, o := range f.all {
		_ = o.tmp.Close()
		_ = os.Remove(o.tmp.Name())
	}
}

func createOut(option, path string) (*outFile, error) {
	if path == "" {
		return nil, fmt.Errorf("-%s needs the name of a file", option)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("-%s=%s: it is there already, and is no file", option, path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, fmt.Errorf("-%s=%s cannot be written: %w", option, path, err)
	}
	return &outFile{option, path, tmp}, nil
}

func (o *outFile) write(content func(io.Writer) error) error {
	if o == nil {
		return nil
	}
	err := errors.Join(content(o.tmp), o.tmp.Chmod(0o644), o.tmp.Close())
	if err == nil {
		err = os.Rename(o.tmp.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("-%s=%s cannot be written: %w", o.option, o.path, err)
	}
	return nil
}
