package nixcmd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// SettingsKey is the same as long as evaluations are done by the same nix with
// the same settings: the program, the configuration files that it reads
// (nix.conf(5)) and those that they include, its environment, and what this
// client passes to it. No process is started. It is an error if there is no nix,
// or if its settings let evaluations depend on more than the flake.
func (c *Client) SettingsKey() (string, error) {
	program, err := proc.LookPath(c.cfg.Program)
	if err != nil {
		return "", &NotInstalledError{Program: c.cfg.Program, Err: err}
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	s := settings{getenv: c.getenv}
	s.add("program", program, fmt.Sprint(info.Size()), fmt.Sprint(info.ModTime().UnixNano()))
	s.add(c.cfg.common()...)
	for _, name := range []string{
		"NIX_REMOTE", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_CONF_DIR", "NIX_USER_CONF_FILES", "NIX_STORE",
		"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE",
	} {
		s.add(name, s.getenv(name))
	}
	s.text(s.getenv("NIX_CONFIG"), "", 0)
	for _, file := range s.files() {
		s.file(file, 0)
	}
	if !c.cfg.AcceptFlakeConfig { // which of a flake's settings were agreed to
		s.file(filepath.Join(s.home("XDG_DATA_HOME", ".local/share"), "nix", "trusted-settings.json"), 0)
	}
	if s.impure != "" {
		return "", fmt.Errorf("%s is set in Nix's configuration", s.impure)
	}
	sum := sha256.Sum256([]byte(s.all.String()))
	return hex.EncodeToString(sum[:16]), nil
}

// getenv is a variable of the environment that nix is run with.
func (c *Client) getenv(name string) string {
	for _, kv := range slices.Backward(c.cfg.Env) {
		if n, value, _ := strings.Cut(kv, "="); n == name {
			return value
		}
	}
	return os.Getenv(name)
}

type settings struct {
	getenv func(string) string
	all    strings.Builder
	impure string
}

func (s *settings) add(parts ...string) { fmt.Fprintf(&s.all, "%q\n", parts) }

func (s *settings) home(variable, otherwise string) string {
	if dir := s.getenv(variable); dir != "" {
		return dir
	}
	return filepath.Join(s.getenv("HOME"), otherwise)
}

// files are Nix's configuration files, the system's first (nix.conf(5)).
func (s *settings) files() []string {
	system := s.getenv("NIX_CONF_DIR")
	if system == "" {
		system = "/etc/nix"
	}
	files := []string{filepath.Join(system, "nix.conf")}
	if list := s.getenv("NIX_USER_CONF_FILES"); list != "" {
		return append(files, strings.Split(list, ":")...)
	}
	dirs := []string{s.home("XDG_CONFIG_HOME", ".config")}
	if list := s.getenv("XDG_CONFIG_DIRS"); list != "" {
		dirs = append(dirs, strings.Split(list, ":")...)
	} else {
		dirs = append(dirs, "/etc/xdg")
	}
	for _, dir := range dirs {
		files = append(files, filepath.Join(dir, "nix", "nix.conf"))
	}
	return files
}

// impureSettings let an evaluation do what depends on more than its flake.
var impureSettings = regexp.MustCompile(`^(?:extra-)?(pure-eval|plugin-files|extra-builtins-file|allow-unsafe-native-code-during-evaluation|builtins-file)\s*=\s*(.*)$`)

// maxIncludes bounds how deep files include each other.
const maxIncludes = 8

func (s *settings) file(name string, depth int) {
	data, err := os.ReadFile(name)
	if err != nil {
		s.add(name, "missing")
		return
	}
	s.add(name)
	s.text(string(data), filepath.Dir(name), depth)
}

func (s *settings) text(text, dir string, depth int) {
	s.add(text)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if m := impureSettings.FindStringSubmatch(line); m != nil {
			harmless := m[2] == "" || m[1] == "pure-eval" && m[2] == "true" || strings.HasPrefix(m[1], "allow-") && m[2] == "false"
			if !harmless {
				s.impure = m[1]
			}
		}
		included, ok := strings.CutPrefix(strings.TrimPrefix(line, "!"), "include ")
		if !ok || depth > maxIncludes {
			continue
		}
		if included = strings.TrimSpace(included); !filepath.IsAbs(included) {
			included = filepath.Join(dir, included)
		}
		s.file(included, depth+1)
	}
}
