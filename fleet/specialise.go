package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// isSpecialisation reports whether a name can be that of a directory below
// TOPLEVEL/specialisation.
func isSpecialisation(name string) bool {
	return name != "" && !strings.Contains(name, "/") && !strings.ContainsAny(name[:1], "-.") && !hasControl(name)
}

// CheckSpecialisation says what is wrong with the name of a specialisation, nil if
// there could be one of that name. The empty name is that of the system itself.
func CheckSpecialisation(name string) error {
	if name != "" && !isSpecialisation(name) {
		return &hintedError{fmt.Errorf("%q cannot be the name of a specialisation", name), "leave the name empty for the system itself"}
	}
	return nil
}

// specialised names a toplevel, or one of its specialisations, for people.
func specialised(toplevel nixcmd.StorePath, specialisation string) string {
	if specialisation == "" {
		return short(toplevel)
	}
	return fmt.Sprintf("specialisation %s of %s", specialisation, short(toplevel))
}

// runs reports whether a toplevel, or a specialisation of it, is live. A
// specialisation can be told only of the system that boots.
func (s Survey) runs(toplevel nixcmd.StorePath, specialisation string) bool {
	if specialisation == "" {
		return s.Current == toplevel
	}
	return s.Profile == toplevel && slices.Contains(s.Specialisations, specialisation)
}

// live names the live system for people.
func (s Survey) live() string {
	if len(s.Specialisations) > 0 {
		return specialised(s.Profile, s.Specialisations[0])
	}
	return short(s.Current)
}

// liveToplevel is the live system, or the one that it is a specialisation of.
func (s Survey) liveToplevel() nixcmd.StorePath {
	if len(s.Specialisations) > 0 {
		return s.Profile
	}
	return s.Current
}

// specialise finds the specialisation of the built system that is to be live, where
// that was built.
func (j *job) specialise(ctx context.Context, s *surveyed) error {
	name := j.host.Specialisation
	if name == "" {
		return nil
	}
	all, err := j.specialisations(ctx, s.eval.Toplevel)
	if err != nil {
		return j.stepError(StepBuild, fmt.Errorf("its specialisations cannot be listed: %w", err))
	}
	if s.specialised = all[name]; s.specialised == "" {
		return j.stepError(StepBuild, noSpecialisation(name, short(s.eval.Toplevel), all))
	}
	return nil
}

// noSpecialisation is the error for a name that a system has not.
func noSpecialisation(name, of string, all map[string]nixcmd.StorePath) error {
	has := "nor any other"
	if len(all) > 0 {
		has = "but " + strings.Join(slices.Sorted(maps.Keys(all)), ", ")
	}
	return &hintedError{fmt.Errorf("%s has no specialisation %q, %s", of, name, has),
		fmt.Sprintf("correct it, or leave it out, in %s or as an option", FileName)}
}

// specialisations are those of a system that was built, by name, from the store that
// has it.
func (j *job) specialisations(ctx context.Context, toplevel nixcmd.StorePath) (map[string]nixcmd.StorePath, error) {
	conn, err := j.whereBuilt(ctx)
	switch {
	case err != nil:
		return nil, err
	case conn == nil:
		return localSpecialisations(string(toplevel))
	}
	res, err := conn.Run(ctx, sshpool.Cmd{Script: specialisationsScript, Argv: []string{string(toplevel)}})
	if err != nil {
		return nil, err
	}
	return parseSpecialisations(string(res.Stdout))
}

// specialisationsScript tells the specialisations of its argument, "NUMBER PATH NAME".
const specialisationsScript = `n=0
for each in "$1"/specialisation/*; do
  [ -e "$each" ] || continue
  n=$((n + 1))
  printf '%s %s %s\n' "$n" "$(readlink -f "$each")" "${each##*/}"
done
echo end ok
`

func parseSpecialisations(text string) (map[string]nixcmd.StorePath, error) {
	a, err := parseAnswer(text)
	if err != nil {
		return nil, err
	}
	all := map[string]nixcmd.StorePath{}
	for _, value := range a.values {
		path, name, _ := strings.Cut(value, " ")
		if p := storePath(path); p != "" && isSpecialisation(name) {
			all[name] = p
		}
	}
	return all, nil
}

// localSpecialisations are those of a system of this machine's store.
func localSpecialisations(toplevel string) (map[string]nixcmd.StorePath, error) {
	dir := filepath.Join(toplevel, "specialisation")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string]nixcmd.StorePath{}
	for _, e := range entries {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if p := storePath(path); p != "" && isSpecialisation(e.Name()) {
			all[e.Name()] = p
		}
	}
	return all, nil
}
