package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/store.sh
var storeScript string

// stores is what this machine's store and the host's are known to hold.
type stores struct {
	// wanted is the closure of the wanted system, as this machine has it.
	wanted []nixcmd.PathInfo
	// live is the closure of the system the host runs; nil if it was not asked.
	live []nixcmd.PathInfo
	// missing are those paths of wanted that the host lacks.
	missing map[nixcmd.StorePath]bool
}

// copying is what has to be copied to the host.
func (k *stores) copying() CopyWork {
	var w CopyWork
	for _, info := range k.wanted {
		if k.missing[info.Path] {
			w.Paths++
			w.Bytes += info.NarSize
		}
	}
	return w
}

// there are those paths of wanted that the host has.
func (k *stores) there() map[nixcmd.StorePath]bool {
	there := make(map[nixcmd.StorePath]bool, len(k.wanted))
	for _, info := range k.wanted {
		there[info.Path] = !k.missing[info.Path]
	}
	return there
}

// askStore asks the host, in one session, which of the wanted paths it lacks,
// and the closure of live unless that is "". The paths go over standard input:
// there may be more of them than a command line holds.
func askStore(ctx context.Context, r Remote, wanted []nixcmd.PathInfo, live nixcmd.StorePath) (*stores, error) {
	var paths strings.Builder
	for _, info := range wanted {
		paths.WriteString(string(info.Path) + "\n")
	}
	res, err := r.Run(ctx, sshpool.Cmd{Argv: []string{"sh", "-c", storeScript, "sh", string(live)}, Stdin: strings.NewReader(paths.String())})
	if err != nil {
		return nil, err
	}
	k, err := parseStore(string(res.Stdout))
	if err != nil {
		return nil, err
	}
	k.wanted = wanted
	return k, nil
}

// parseStore reads the answer of store.sh.
func parseStore(text string) (*stores, error) {
	k := &stores{missing: map[nixcmd.StorePath]bool{}}
	sizes, begun := 0, false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		var err error
		switch key {
		case "flotilla-store":
			begun = value == "1"
		case "missing", "live":
			var p nixcmd.StorePath
			if p, err = nixcmd.ParseStorePath(value); err == nil && key == "live" {
				k.live = append(k.live, nixcmd.PathInfo{Path: p})
			} else if err == nil {
				k.missing[p] = true
			}
		case "size":
			var n int64
			if n, err = strconv.ParseInt(value, 10, 64); err == nil && (n < 0 || sizes == len(k.live)) {
				err = errors.New("out of place")
			}
			if err == nil {
				k.live[sizes].NarSize = n
				sizes++
			}
		case "end":
			if !begun || sizes != len(k.live) {
				return nil, errNoStoreAnswer
			}
			return k, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoStoreAnswer, err)
		}
	}
	if !begun {
		return nil, errNoStoreAnswer
	}
	return nil, errCutShort
}

var errNoStoreAnswer = errors.New("the host's answer does not say what its store holds")

// moreThanAny is more than a system takes: how large it is need not be asked.
const moreThanAny = 128 << 30

// room fails if the host's store has less free space than what has to be copied
// to it takes; list asks the store that it is copied from. The host is asked what it
// lacks only if the whole closure would not fit.
func (j *job) room(ctx context.Context, s *surveyed, list func(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error)) error {
	free := s.survey.FreeBytes
	if free < 0 || free > moreThanAny && s.stores == nil {
		return nil
	}
	if s.stores == nil {
		wanted, err := j.closure(ctx, s, list)
		if err != nil {
			return err
		}
		if closureSize(wanted) <= free {
			return nil
		}
		if s.stores, err = askStore(ctx, s.conn, wanted, ""); err != nil {
			return err
		}
	}
	if need := s.stores.copying(); need.Bytes > free {
		return noRoom(free, need.Bytes)
	}
	return nil
}

func noRoom(free, need int64) error {
	return &hintedError{fmt.Errorf("the host's store has %s free, too little for the %s to copy", mebibytes(free), mebibytes(need)),
		"free space there (nix-collect-garbage), then deploy again; what it runs and boots is as before"}
}

// query lists the closure of the wanted system, from the store that list asks.
func (j *job) query(ctx context.Context, s surveyed, list func(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error)) ([]nixcmd.PathInfo, error) {
	if err := j.fleet.stages.queries.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	defer j.fleet.stages.queries.Release(1)
	return list(ctx, s.eval.Toplevel)
}

// closure is that of the wanted system; the store that list asks is asked once.
func (j *job) closure(ctx context.Context, s *surveyed, list func(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error)) (closure []nixcmd.PathInfo, err error) {
	if s.stores != nil {
		return s.stores.wanted, nil
	}
	if s.closure == nil {
		s.closure, err = j.query(ctx, *s, list)
	}
	return s.closure, err
}

func closureSize(closure []nixcmd.PathInfo) (size int64) {
	for _, info := range closure {
		size += info.NarSize
	}
	return size
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
