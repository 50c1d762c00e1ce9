package fleet

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// SelectError says which part of a selector is wrong.
type SelectError struct {
	// Selector is the whole selector, Term the part in question.
	Selector, Term string
	// Problem is one sentence; Help is what to do about it, or empty.
	Problem, Help string
}

// Error gives the problem and the help on one line.
func (e *SelectError) Error() string {
	if e.Help == "" {
		return e.Problem
	}
	return e.Problem + "; " + e.Help
}

// Select returns the hosts a selector names, in inventory order and each once.
//
// A selector is a list, with commas or white space, of host names, globs as in path.Match,
// and tags as @tag; a term that starts with '!' takes hosts away. The empty
// selector, and one that only takes away, starts from all hosts. A term that
// names nothing, and a selector that leaves nothing, is a *SelectError; so is
// every selector of an inventory that lists no hosts, for which there is
// Fleet.Select.
func (inv *Inventory) Select(selector string) ([]Host, error) {
	if len(inv.Hosts) == 0 {
		return nil, &SelectError{Selector: selector, Problem: FileName + " lists no hosts", Help: "add a [hosts.NAME] section for each"}
	}
	terms := terms(selector)
	if selector != "" && len(terms) == 0 {
		return nil, &SelectError{Selector: selector, Problem: fmt.Sprintf("%q names no host", selector)}
	}
	taken, removed := map[string]bool{}, map[string]bool{}
	positive := false
	for _, term := range terms {
		name, negative := strings.CutPrefix(term, "!")
		names, err := inv.match(selector, name)
		if err != nil {
			return nil, err
		}
		positive = positive || !negative
		for _, n := range names {
			if negative {
				removed[n] = true
			} else {
				taken[n] = true
			}
		}
	}
	var hosts []Host
	for _, h := range inv.Hosts {
		if (taken[h.Name] || !positive) && !removed[h.Name] {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return nil, &SelectError{Selector: selector, Problem: fmt.Sprintf("%q leaves no host", selector)}
	}
	return hosts, nil
}

// terms are the parts of a selector.
func terms(selector string) []string {
	return strings.FieldsFunc(selector, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// match returns the names of the hosts that one term stands for.
func (inv *Inventory) match(selector, term string) ([]string, error) {
	bad := func(problem, help string) error {
		return &SelectError{Selector: selector, Term: term, Problem: problem, Help: help}
	}
	var names []string
	if tag, ok := strings.CutPrefix(term, "@"); ok {
		for _, h := range inv.Hosts {
			if h.HasTag(tag) {
				names = append(names, h.Name)
			}
		}
		if names == nil {
			return nil, bad(fmt.Sprintf("no host has the tag %q", tag), didYouMean(tag, inv.tags()))
		}
		return names, nil
	}
	for _, h := range inv.Hosts {
		ok, err := path.Match(term, h.Name)
		if err != nil {
			return nil, bad(fmt.Sprintf("%q is not a valid pattern", term), "")
		}
		if ok {
			names = append(names, h.Name)
		}
	}
	if names == nil {
		return nil, bad(fmt.Sprintf("there is no host %q", term), didYouMean(term, inv.names()))
	}
	return names, nil
}
