package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// Mage runs every word of a command line that no target takes as a target of its
// own. Where hosts have targets named after them, as in the guide, `mage plan
// razer` would make a plan of all hosts and then deploy razer.

// named refuses a selector that names nobody: an unset variable in a script must not mean the
// whole fleet, and options come after what a target takes, help before the target.
func named(selector string) error {
	switch {
	case strings.TrimSpace(selector) == "":
		return errors.New("no host given: name one, several with commas, or '*' for all")
	case strings.HasPrefix(selector, "-"):
		return fmt.Errorf("%s is where the host belongs: options come after it, and -h before the target tells of them", selector)
	}
	return nil
}

// strayHost refuses a target for all hosts that is followed by a host.
func strayHost(words []string, selector string, inv *fleet.Inventory) error {
	if len(words) != 2 || selector != everyone || !isHost(inv, words[1]) {
		return nil
	}
	return fmt.Errorf("%s is for all hosts, and the word %s after it would be a target of its own; write %s -on=%s", words[0], words[1], words[0], words[1])
}

// strayAfterWatch refuses words after a target that does not end by itself: they would be
// targets of their own that are never come to, nor found to be none.
func strayAfterWatch(words []string, selector string) error {
	i := slices.IndexFunc(words, func(w string) bool { return isTarget(w, "watch") })
	if i < 0 || i+1 >= len(words) || words[i+1] == selector { // of a target that takes it
		return nil
	}
	return fmt.Errorf("%s goes on until it is interrupted, and the word %s after it would be a target of its own that is never come to; hosts are named by -on=SELECTOR", words[i], words[i+1])
}

// isTarget reports whether a word of the command line is a target's name, whatever it was
// imported as.
func isTarget(word, name string) bool {
	return strings.EqualFold(word[strings.LastIndexByte(word, ':')+1:], name)
}

// strayTarget refuses to deploy a host whose name follows other words, and so may
// have been meant as what they are for. Several hosts in a row are meant.
func strayTarget(words []string, host string, inv *fleet.Inventory) error {
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, host) })
	if i < 1 || strings.EqualFold(words[i-1], "deploy") || !slices.ContainsFunc(words[:i], func(w string) bool { return !isHost(inv, w) }) {
		return nil
	}
	return errors.New(words[i] + " after " + words[i-1] + " would be deployed; if that is meant, write deploy " + words[i])
}

// strayGeneration refuses a rollback of a host that a generation follows, which would
// be a target of its own, once the host is back to the one before.
func strayGeneration(words []string, host string) error {
	i := slices.IndexFunc(words, func(w string) bool { return isTarget(w, "rollback") })
	if i < 0 || i+2 >= len(words) || words[i+1] != host || strings.Trim(words[i+2], "0123456789") != "" && words[i+2][0] != '/' {
		return nil
	}
	return fmt.Errorf("the word %s after %s would be a target of its own; write rollback %s -to=%[1]s", words[i+2], host, host)
}

// meant is a question that comes after strayTarget's; nil means yes.
func meant(host string, ask question) question {
	return func(ctx context.Context, s session) error {
		if err := strayTarget(words(), host, s.fleet.Inventory); err != nil || ask == nil {
			return err
		}
		return ask(ctx, s)
	}
}

func isHost(inv *fleet.Inventory, word string) bool {
	return slices.ContainsFunc(inv.Hosts, func(h fleet.Host) bool { return strings.EqualFold(h.Name, word) })
}

// words are those of the command line that are no options.
func words() []string {
	return slices.DeleteFunc(slices.Clone(os.Args[1:]), func(w string) bool { return strings.HasPrefix(w, "-") })
}
