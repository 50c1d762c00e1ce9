package lab

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path"
	"strings"
)

// placeFlotilla puts Config.Flotilla into a machine unless it is there already,
// by size and time. It is replaced in one step, and a process that runs the old
// one keeps it.
func (l *Lab) placeFlotilla(machineRoot string) error {
	if l.cfg.Flotilla == "" {
		return nil
	}
	src, err := os.Open(l.cfg.Flotilla)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // read only
	want, err := src.Stat()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(machineRoot)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a directory handle
	target := strings.TrimPrefix(FlotillaPath, "/")
	have, err := root.Stat(target)
	if err == nil && have.Size() == want.Size() && have.ModTime().Equal(want.ModTime()) {
		return nil
	}
	// Two processes may be at it: each has its own temporary file.
	tmp := path.Join(path.Dir(target), ".flotilla-"+rand.Text())
	dst, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	err = errors.Join(err, dst.Chmod(0o755), dst.Close())
	if err == nil {
		err = root.Chtimes(tmp, want.ModTime(), want.ModTime())
	}
	if err == nil {
		err = root.Rename(tmp, target)
	}
	if err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return nil
}
