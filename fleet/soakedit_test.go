package fleet

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// edit changes the repository at random and says how; content is the file whose
// contents alone changed, or "".
func (s *soak) edit() (what, content string) {
	for {
		switch n := s.r.IntN(20); {
		case n < 11:
			what, content = s.editContent()
		case n < 14:
			what = s.editPaths()
		case n < 18 && s.world != keptLoose:
			what = s.editHistory()
		case n >= 18:
			what = s.own()
		}
		if what != "" {
			return what, content
		}
	}
}

func (s *soak) editContent() (what, content string) {
	name := pick(s, s.code()...)
	if s.chance(4) {
		name = pick(s, s.data()...)
	}
	if s.parts && s.chance(4) {
		name = "data/hosts.toml"
	}
	file := s.path(name)
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	old, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	text := s.content(name)
	if s.chance(3) && strings.HasSuffix(name, ".nix") {
		text = string(old) + fmt.Sprintf("# %d\n", s.r.IntN(1000))
	}
	if text == string(old) {
		text += "\n"
	}
	s.write(name, text)
	if s.chance(4) { // as what restores files does
		if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
			s.t.Fatal(err)
		}
	}
	return "content " + name, name
}

// loose is a file that few others need.
func (s *soak) loose() string {
	return pick(s, slices.DeleteFunc(append(s.code(), s.data()...), func(name string) bool {
		return path.Base(name) == "default.nix" && !s.chance(8)
	})...)
}

func (s *soak) editPaths() string {
	name := s.loose()
	add := "git add -A; "
	if s.world == keptLoose {
		add = ""
	}
	switch s.r.IntN(9) {
	case 0:
		fresh := pick(s, "data/new.txt", "mods/c.nix", "hosts/h0/z.nix")
		s.write(fresh, s.content(fresh))
		s.sh(add)
		return "add " + fresh
	case 1:
		fresh := pick(s, "data/untracked.txt", "mods/untracked.nix")
		s.write(fresh, s.content(fresh))
		return "untracked " + fresh
	case 2:
		fresh := pick(s, "data/new.txt", "mods/c.nix")
		s.write(fresh, s.content(fresh))
		s.sh("git add -N " + fresh)
		return "add -N " + fresh
	case 3:
		os.Remove(s.path(name))
		return "delete " + name
	case 4:
		s.sh("git mv " + name + " " + name + ".old || mv " + name + " " + name + ".old")
		return "rename " + name
	case 5:
		s.sh("chmod " + pick(s, "+x ", "-x ") + name)
		return "mode " + name
	case 6:
		if !s.links {
			return ""
		}
		s.sh("ln -sfn " + pick(s, "common", "mods") + " link; ln -sfn " + pick(s, "a.txt", "b.txt") + " data/link.txt; " + add)
		return "symlinks"
	case 7:
		for _, f := range []string{"flake.nix", "lib.nix"} {
			if s.chance(2) {
				s.write(f, s.content(f))
			}
		}
		return "flake.nix or lib.nix"
	}
	s.write("inner/data.txt", strconv.Itoa(s.r.IntN(4)))
	return "inner"
}

func (s *soak) editHistory() string {
	name := s.loose()
	sh := func(line string) string { s.sh(line); return line }
	switch s.r.IntN(14) {
	default:
		return sh("git add -A; git commit -q -m x")
	case 0:
		return sh("git commit -q --amend -m y" + strconv.Itoa(s.r.IntN(100)))
	case 1:
		return sh("git checkout -q -B side")
	case 2:
		return sh("git checkout -q " + pick(s, "main", "side"))
	case 3:
		return sh("git stash -q")
	case 4:
		return sh("git stash pop -q || git reset -q --hard")
	case 5:
		return sh("git checkout -q --detach HEAD~" + strconv.Itoa(s.r.IntN(3)))
	case 6:
		return sh("git reset -q --hard")
	case 7:
		return sh("git rm -q --cached " + name)
	case 8:
		return sh("git checkout -q main; git revert --no-edit HEAD >/dev/null || git reset -q --hard")
	case 9:
		return sh("git update-index --assume-unchanged " + name + "; echo 3 >>" + name + "; git update-index --no-assume-unchanged " + name)
	}
}

// repair puts back what is missing, or everything.
func (s *soak) repair(all bool) string {
	s.sh("rm -f .git/index.lock; git merge --abort; git config --unset core.autocrlf; git stash clear")
	for _, name := range s.files() {
		if _, err := os.Stat(s.path(name)); err != nil || all {
			s.write(name, s.content(name))
		}
	}
	if s.links {
		s.sh("ln -sfn common link; ln -sfn a.txt data/link.txt")
	}
	s.sh("rm -f mods/*.old mods/c.nix mods/untracked.nix")
	if s.world == keptFilters && all {
		s.write(".gitattributes", "")
	}
	if s.inputs {
		s.sh("git add -A; nix --extra-experimental-features 'nix-command flakes' flake update 2>/dev/null")
	}
	s.sh("git add -A")
	return "repair"
}
