package fleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// prebuiltMost is the largest file of prebuilt systems that is read: a report of some
// thousand hosts.
const prebuiltMost = 64 << 20

// ReadPrebuilt reads which systems were built for which hosts, in one of three forms: the
// lines that the target buildAllParallel prints, "HOST PATH" or "HOST PATH on BUILDHOST",
// with empty ones and such that begin with "#" left out; the JSON lines that it prints
// with -json, of whose report the hosts count that were built; or a JSON object of paths
// by host name. A host that is named twice, a path that is none, and a text that names no
// host are errors, with the line. The text may have 64 MiB.
func ReadPrebuilt(r io.Reader) (map[string]Prebuilt, error) {
	text, err := io.ReadAll(io.LimitReader(r, prebuiltMost+1))
	if err != nil {
		return nil, err
	}
	if len(text) > prebuiltMost {
		return nil, fmt.Errorf("it is larger than %d MiB", prebuiltMost>>20)
	}
	all := prebuiltSet{}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		err = all.json(text)
	} else {
		err = all.lines(text)
	}
	if err == nil && len(all) == 0 {
		err = errors.New("it names no host")
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

type prebuiltSet map[string]Prebuilt

func (all prebuiltSet) add(host, path, on string) error {
	if !isWord(host, "-_.") {
		return fmt.Errorf("%q cannot be the name of a host", host)
	}
	if _, twice := all[host]; twice {
		return fmt.Errorf("host %s is named twice", host)
	}
	p, err := nixcmd.ParseStorePath(path)
	if err != nil {
		return fmt.Errorf("host %s: %w", host, err)
	}
	if p.IsDerivation() {
		return fmt.Errorf("host %s: %s is a derivation, not what it builds", host, p)
	}
	all[host] = Prebuilt{Toplevel: p, BuiltOn: on}
	return nil
}

func (all prebuiltSet) lines(text []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		err := errors.New(`it is neither "HOST PATH" nor "HOST PATH on BUILDHOST"`)
		switch {
		case len(words) == 2:
			err = all.add(words[0], words[1], "")
		case len(words) == 4 && words[2] == "on":
			err = all.add(words[0], words[1], words[3])
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (all prebuiltSet) json(text []byte) error {
	values := json.NewDecoder(bytes.NewReader(text))
	for {
		var value map[string]json.RawMessage
		err := values.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not the JSON expected: %w", err)
		}
		if value["v"] == nil || value["kind"] == nil {
			for host, raw := range value {
				var path string
				if err := json.Unmarshal(raw, &path); err != nil {
					return fmt.Errorf("host %s: its path is no text", host)
				}
				if err := all.add(host, path, ""); err != nil {
					return err
				}
			}
			continue
		}
		var report struct {
			Hosts []struct {
				Host    string  `json:"host"`
				Outcome Outcome `json:"outcome"`
				Wanted  string  `json:"wanted"`
				BuiltOn string  `json:"built_on"`
			} `json:"hosts"`
		}
		if value["report"] == nil {
			continue
		}
		if err := json.Unmarshal(value["report"], &report); err != nil {
			return fmt.Errorf("its report is not the JSON expected: %w", err)
		}
		for _, h := range report.Hosts {
			if h.Outcome != Built {
				continue
			}
			if err := all.add(h.Host, h.Wanted, h.BuiltOn); err != nil {
				return err
			}
		}
	}
}
