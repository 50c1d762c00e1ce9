package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Report writes an earlier run as a web page of its own: a timeline, outcomes, errors, health checks
//
// RUN is its number in history, or "last". Options: -out=FILE; without it the page is
// kept beside the history. The answer is where it is. It needs no network, and
// nothing besides itself.
func Report(ctx context.Context, run string, out *string) error {
	var id int64
	if run != "last" {
		var err error
		if id, err = strconv.ParseInt(run, 10, 64); err != nil || id < 1 {
			return failure(fmt.Errorf("RUN is %q: give a number as history shows it, or last", run))
		}
	}
	f, err := open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	return promptly(ctx, func(ctx context.Context) error {
		db, err := openHistory(ctx, f)
		if err != nil {
			return err
		}
		defer db.Close()
		r, err := db.Run(ctx, id)
		if errors.Is(err, history.ErrNoRun) {
			return fmt.Errorf("run %s: %w; history shows which there are", run, err)
		}
		if err != nil {
			return err
		}
		path := text(out, "")
		if out == nil {
			dir, err := f.StateDir("history")
			if err != nil {
				return err
			}
			path = filepath.Join(dir, fmt.Sprintf("run-%d.html", r.ID))
		}
		var files outFiles
		defer files.drop()
		file := files.create("out", &path)
		if files.err != nil {
			return files.err
		}
		if err := file.write(func(w io.Writer) error { return ui.RunPage(w, r) }); err != nil {
			return err
		}
		_, err = fmt.Fprintln(os.Stdout, path)
		return err
	})
}
