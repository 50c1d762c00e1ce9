package fleet

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

//go:embed remote/generations.sh
var generationsScript string

// Generation is a generation of a host's system profile, as the host tells it.
type Generation struct {
	// Number is above 0, and unique on the host.
	Number int
	// Path is the system; empty if the generation's link leads to no store path.
	Path nixcmd.StorePath
	// Made is when the link was made, by the host's clock, to the second; zero if
	// unknown.
	Made time.Time
	// NixOS is the text of the system's nixos-version, Kernel the version in its
	// kernel's store path; empty where they do not tell.
	NixOS, Kernel string
	// Gone reports that the system is no longer in the host's store.
	Gone bool
	// Live reports whether it, or a specialisation of it, is what the host runs, Booted whether it is what the
	// machine was started with. Of several generations of one system it is the
	// profile's own, or else the newest.
	Live, Booted bool
	// Specialisation is the name of the specialisation of it that is live; empty if
	// Live is of the system itself.
	Specialisation string
	// Profile reports whether the profile is at it, so that it boots next; unless
	// Uncommitted, in which case that is not known.
	Profile, Uncommitted bool

	specialisations map[string]nixcmd.StorePath
}

// liveAs says whether a generation or one of its specialisations is a system, and
// which.
func (g *Generation) liveAs(p nixcmd.StorePath) (specialisation string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(g.specialisations)) {
		if g.specialisations[name] == p {
			return name, p != ""
		}
	}
	return "", false
}

// Generations asks each host, in one session, which generations its system
// profile has; see Result.Generations. Nothing is changed, and no Nix is needed
// here. A host that answered is Reached, also if it has no system profile.
func (f *Fleet) Generations(ctx context.Context, hosts []Host) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		_, s, h, err := j.generations(ctx)
		if err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Generations, r.Reason = h.all, h.text(s) })
		return Reached, nil
	})
}

// profileHistory is what a host tells of its system profile.
type profileHistory struct {
	// all are the generations by number; empty, not nil, if there are none.
	all []Generation
	// last is the system that the last deployment of ours made the profile, before
	// what the profile was until then; both are empty if that is not known.
	last, before nixcmd.StorePath
}

// generations connects to the host and asks it what it runs, and what of its
// profile.
func (j *job) generations(ctx context.Context) (conn Remote, s Survey, h profileHistory, err error) {
	err = j.step(ctx, StepSurvey, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
		conn, err = j.connect(ctx, func(ctx context.Context, r Remote) error {
			res, err := r.Run(ctx, surveyCmd(generationsScript+surveyScript, j.host.Become))
			if err != nil {
				return err
			}
			if s, err = parseSurvey(string(res.Stdout)); err != nil {
				return err
			}
			s.become = j.host.Become
			a, err := parseAnswer(string(res.Stdout))
			h = parseGenerations(a, s)
			return err
		})
		if err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Live = s.Current })
		j.conn = conn
		j.becomesRoot(s.Root)
		return h.text(s), nil
	})
	return conn, s, h, err
}

// parseGenerations reads what generations.sh said.
func parseGenerations(a answer, s Survey) profileHistory {
	h := profileHistory{all: []Generation{}}
	last, before, _ := strings.Cut(a.values["generations/previous"], " ")
	if h.last, h.before = storePath(last), storePath(before); h.last == "" || h.before == "" {
		h.last, h.before = "", ""
	}
	specialisations := map[string]map[string]nixcmd.StorePath{}
	for key, path := range a.values {
		if link, name, ok := strings.Cut(strings.TrimPrefix(key, "generations/"), "/specialisation/"); ok && isSpecialisation(name) {
			if specialisations[link] == nil {
				specialisations[link] = map[string]nixcmd.StorePath{}
			}
			specialisations[link][name] = storePath(path)
		}
	}
	for key, path := range a.values {
		link := strings.TrimSuffix(strings.TrimPrefix(key, "generations/"), "/path")
		number := linkNumber(link)
		if number == 0 || key != "generations/"+link+"/path" {
			continue
		}
		get := func(what string) string { return a.values["generations/"+link+"/"+what] }
		g := Generation{Number: number, Path: storePath(path), NixOS: get("nixos"), Kernel: partVersion(get("kernel")),
			Gone: get("gone") != "", Profile: link == s.Generation, Uncommitted: link == s.Generation && s.Uncommitted,
			specialisations: specialisations[link]}
		seconds, _, _ := strings.Cut(get("made"), ".")
		const most = 1 << 40 // seconds, which is no date of anything
		if made, err := strconv.ParseInt(seconds, 10, 64); err == nil && made > 0 && made < most {
			g.Made = time.Unix(made, 0)
		}
		h.all = append(h.all, g)
	}
	slices.SortFunc(h.all, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	if g := h.live(s); g != nil {
		g.Live = true
		if g.Path != s.Current {
			g.Specialisation, _ = g.liveAs(s.Current)
		}
	}
	if g := h.of(s.Booted); g != nil {
		g.Booted = true
	}
	return h
}

// of is the generation of a system, nil if there is none: the profile's own, or
// else the newest.
func (h profileHistory) of(p nixcmd.StorePath) *Generation {
	var found *Generation
	for i := range h.all {
		if g := &h.all[i]; g.Path == p && p != "" && (found == nil || !found.Profile) {
			found = g
		}
	}
	return found
}

// live is the generation that is live, itself or as a specialisation; nil if there is
// none.
func (h profileHistory) live(s Survey) *Generation {
	found := h.of(s.Current)
	if found != nil {
		return found
	}
	for i := range h.all {
		g := &h.all[i]
		if _, ok := g.liveAs(s.Current); ok && (found == nil || !found.Profile) {
			found = g
		}
	}
	return found
}

// at is the generation of that number, nil if there is none.
func (h profileHistory) at(number int) *Generation {
	i := slices.IndexFunc(h.all, func(g Generation) bool { return g.Number == number })
	if i < 0 {
		return nil
	}
	return &h.all[i]
}

func (h profileHistory) text(s Survey) string {
	var text string
	switch n := len(h.all); n {
	case 0:
		return "it has no system profile"
	case 1:
		text = "1 generation"
	default:
		text = fmt.Sprintf("%d generations", n)
	}
	name := func(p nixcmd.StorePath) string {
		if g := h.of(p); g != nil {
			return strconv.Itoa(g.Number)
		}
		if g := h.live(s); g != nil && p == s.Current {
			specialisation, _ := g.liveAs(p)
			return fmt.Sprintf("%d as %s", g.Number, specialisation)
		}
		return short(p) + ", which is none of them"
	}
	switch {
	case s.Uncommitted:
		return fmt.Sprintf("%s; runs %s; %s", text, name(s.Current), s.bootsUnknown())
	case s.Current == s.Profile:
		return text + "; runs and boots " + name(s.Current)
	}
	return text + "; runs " + name(s.Current) + "; boots " + name(s.Profile)
}

// linkNumber is the number in a generation's link, such as "system-42-link"; 0 if
// it is no such name.
func linkNumber(link string) int {
	digits, starts := strings.CutPrefix(link, "system-")
	digits, ends := strings.CutSuffix(digits, "-link")
	if !starts || !ends {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != digits {
		return 0
	}
	return int(n)
}
