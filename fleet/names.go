package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// namesHost is what the names of a flake's configurations are remembered as; no
// host can have this name.
const namesHost = "+names"

// namer is what a Nix must be besides for names to be remembered: *nixcmd.Client
// is one.
type namer interface {
	// ReadAttrNames is AttrNames, and what was read for it.
	ReadAttrNames(context.Context, nixcmd.Installable) ([]string, nixcmd.Evaluation, error)
}

// names are those of the flake's nixosConfigurations, sorted; without asking Nix
// if nothing has changed that they can depend on.
func (s *recollection) names(ctx context.Context) ([]string, error) {
	h := Host{Name: namesHost}
	known := s.ask(h)
	var foretold []string
	if known.result != nil && json.Unmarshal([]byte(known.result.Derivation), &foretold) != nil {
		known.result = nil
	}
	if known.result != nil && !s.fleet.verify {
		return foretold, nil
	}
	inst, err := nixcmd.FlakeAttr(or(s.flake, "."), "nixosConfigurations")
	if err != nil {
		return nil, err
	}
	_, release, err := s.fleet.admit(ctx, demand{guess: namesMemory}, nil)
	if err != nil {
		return nil, err
	}
	defer release()
	nix, ok := s.fleet.nix.(namer)
	if !ok {
		return s.fleet.nix.AttrNames(ctx, inst)
	}
	names, ev, err := nix.ReadAttrNames(ctx, inst)
	if err != nil {
		return nil, err
	}
	if known.result != nil {
		if !slices.Equal(names, foretold) {
			return nil, &hintedError{fmt.Errorf("wrong prediction: nixosConfigurations was taken to be %s, and is %s", strings.Join(foretold, " "), strings.Join(names, " ")),
				(&wrongError{}).Hint()}
		}
		return names, nil
	}
	text, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	r := &readset.Result{Derivation: string(text)}
	if !ev.Relocked {
		s.note(h, r, func() string { return s.observeImports(r, ev, false) })
	}
	return names, nil
}
