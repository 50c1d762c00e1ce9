package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nixflotilla/flotilla/bench"
)

// BenchHost times each phase of HOST RUNS times, and compares with the last and the best run
//
// Options: -out=FILE, -json. FILE gets the samples as Go benchmark text, for
// benchstat. Phases: survey, evaluation without and with Nix's cache, rebuild of
// the host's own derivations, a copy and a run with nothing to do. The host is not
// changed, and no garbage is collected.
func BenchHost(ctx context.Context, host, runs string, out *string, json *bool) error {
	asJSON(json)
	rounds, err := strconv.Atoi(runs)
	if err != nil || rounds < 1 || rounds > bench.MostRounds {
		return failure(fmt.Errorf("RUNS is %q: give a number from 1 to %d; intervals and verdicts need 6", runs, bench.MostRounds))
	}
	var file *outFile
	if out != nil {
		if file, err = createOut(*out); err != nil {
			return failure(err)
		}
		defer file.drop()
	}
	return measuring(ctx, host, func(ctx context.Context, m measurement) error {
		var records []bench.Record
		for _, h := range m.hosts {
			r, err := bench.Host(ctx, m.fleet, h, bench.HostOptions{Rounds: rounds, Progress: func(stage string, round int) {
				detail := ""
				if round > 0 {
					detail = fmt.Sprintf("%d of %d", round, rounds)
				}
				m.status.Set(h.Name+": "+stage, detail)
			}})
			if err != nil {
				return err
			}
			m.status.Clear()
			dir, err := m.fleet.StateDir("bench")
			if err != nil {
				return err
			}
			history := bench.History{Path: filepath.Join(dir, h.Name+".jsonl")}
			earlier, skipped, err := history.Read()
			if err == nil {
				err = history.Add(r)
			}
			if err != nil {
				return err
			}
			b := benchmarked{record: r, rows: r.Rows(earlier), earlier: earlier, skipped: skipped, path: history.Path}
			if err := b.show(os.Stdout); err != nil {
				return err
			}
			records = append(records, r)
		}
		if file != nil {
			return file.write(records)
		}
		return nil
	})
}

// outFile is a file that is put in place when it is complete.
type outFile struct {
	path string
	tmp  *os.File
}

// createOut finds out at the beginning whether the file can be written.
func createOut(path string) (*outFile, error) {
	if path == "" {
		return nil, errors.New("-out needs the name of a file")
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("-out=%s: it is there already, and is no file", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, fmt.Errorf("-out=%s cannot be written: %w", path, err)
	}
	return &outFile{path, tmp}, nil
}

func (o *outFile) write(records []bench.Record) error {
	if err := bench.WriteText(o.tmp, records...); err != nil {
		return fmt.Errorf("-out=%s cannot be written: %w", o.path, err)
	}
	return o.keep()
}

// keep puts it in place.
func (o *outFile) keep() error {
	err := errors.Join(o.tmp.Chmod(0o644), o.tmp.Close())
	if err == nil {
		err = os.Rename(o.tmp.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("-out=%s cannot be written: %w", o.path, err)
	}
	return nil
}

// drop removes what was not put in place.
func (o *outFile) drop() {
	_ = o.tmp.Close()
	_ = os.Remove(o.tmp.Name())
}
