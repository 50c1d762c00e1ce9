package nixcmd

import (
	"fmt"
	"strings"
)

// StoreDir is the only store directory that is supported: that of every binary
// cache and of NixOS.
const StoreDir = "/nix/store"

// StorePath is the absolute path of an object directly in the store, such as
// /nix/store/HASH-bash-5.2. One that came from ParseStorePath, or from any
// function of this package, holds only letters, digits and "/+-._?=", so that
// it is neither an option nor means anything to a shell besides "?", and can be
// followed by "^*" in an installable. The zero value is no path.
type StorePath string

const (
	hashLen    = 32
	maxNameLen = 211
	hashChars  = "0123456789abcdfghijklmnpqrsvwxyz" // Nix's base 32: no e, o, t, u
)

// ParseStorePath checks that s is a store path as Nix defines them (Nix manual,
// "Store path specification"): the store directory, 32 characters of hash, "-",
// and a name of 1 to 211 characters of [0-9A-Za-z+-._?=] that does not start
// with a dot. Surrounding white space and files below the path are refused.
func ParseStorePath(s string) (StorePath, error) {
	base, ok := strings.CutPrefix(s, StoreDir+"/")
	if !ok {
		return "", fmt.Errorf("%q is not a store path: it is not in %s", abbreviated(s), StoreDir)
	}
	if err := checkBaseName(base); err != nil {
		return "", fmt.Errorf("%q is not a store path: %w", abbreviated(s), err)
	}
	return StorePath(s), nil
}

func checkBaseName(base string) error {
	if len(base) < hashLen+2 || base[hashLen] != '-' {
		return fmt.Errorf("no %d characters of hash and a name", hashLen)
	}
	for i := range hashLen {
		if strings.IndexByte(hashChars, base[i]) < 0 {
			return fmt.Errorf("%q is not in the alphabet of Nix's hashes", base[i])
		}
	}
	name := base[hashLen+1:]
	if len(name) > maxNameLen {
		return fmt.Errorf("the name has more than %d characters", maxNameLen)
	}
	if name[0] == '.' {
		return fmt.Errorf("the name starts with a dot")
	}
	for i := range len(name) {
		if !isNameChar(name[i]) {
			return fmt.Errorf("%q is not allowed in a name", name[i])
		}
	}
	return nil
}

func isNameChar(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || strings.IndexByte("+-._?=", c) >= 0
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// abbreviated keeps an error about hostile input short.
func abbreviated(s string) string {
	const enough = 300
	if len(s) <= enough {
		return s
	}
	return s[:enough] + "…"
}

// String returns the path.
func (p StorePath) String() string { return string(p) }

// Hash returns the 32 characters that make the path unique; "" for the zero
// value.
func (p StorePath) Hash() string {
	hash, _, _ := strings.Cut(p.base(), "-")
	return hash
}

// Name returns what follows the hash, such as "bash-5.2-man"; "" for the zero
// value.
func (p StorePath) Name() string {
	_, name, _ := strings.Cut(p.base(), "-")
	return name
}

// IsDerivation reports whether the path is that of a store derivation (.drv).
func (p StorePath) IsDerivation() bool { return strings.HasSuffix(string(p), ".drv") }

func (p StorePath) base() string { return strings.TrimPrefix(string(p), StoreDir+"/") }

// Package splits the name into that of a package and its version, as
// `nix store diff-closures` and builtins.parseDrvName do: the version starts
// after the first "-" that is not followed by a letter. A known output name
// at the end of a version ("-man", "-dev") is no part of it. The version is ""
// if the name has none.
//
// diff-closures takes any last word for an output; only the names that nixpkgs
// uses are taken here, and only after a version, so that "firefox-bin" stays
// another package than "firefox".
func (p StorePath) Package() (name, version string) {
	full := strings.TrimSuffix(p.Name(), ".drv")
	for i := 0; i+1 < len(full); i++ {
		if full[i] == '-' && !isLetter(full[i+1]) {
			return full[:i], withoutOutput(full[i+1:])
		}
	}
	return full, ""
}

func withoutOutput(version string) string {
	i := strings.LastIndexByte(version, '-')
	if i <= 0 {
		return version
	}
	switch version[i+1:] {
	case "bin", "cli", "data", "debug", "dev", "devdoc", "devman", "dist", "doc", "getent",
		"info", "lib", "lib32", "lib64", "libgcc", "man", "out", "py", "python", "sbin",
		"scripts", "static", "terminfo", "tools":
		return version[:i]
	}
	return version
}
