package ui

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/fleet"
)

// Status writes how hosts are: a line each, below it what a person should look
// at; of a single host all there is.
func Status(w io.Writer, r *fleet.Report) {
	s := newScreen(w)
	if len(r.Results) == 1 && r.Results[0].Status != nil {
		statusBlock(s, r.Results[0])
		return
	}
	host := len("HOST")
	for _, res := range r.Results {
		host = max(host, len(res.Host.Name))
	}
	const state = len("unreachable")
	row := func(name string, color, standing, system, gen, age, up, failed, free, ping string) string {
		return strings.TrimRight(fmt.Sprintf("%s  %s  %-7s  %4s  %5s  %5s  %6s  %8s  %s", pad(name, host), s.paint(color, pad(standing, state)),
			system, gen, age, up, failed, free, ping), " ")
	}
	fmt.Fprintln(w, s.paint(dim, row("HOST", "", "STATE", "SYSTEM", "GEN", "AGE", "UP", "FAILED", "FREE", "PING")))
	for _, res := range r.Results {
		standing := res.Standing()
		st := res.Status
		if st == nil {
			fmt.Fprintln(w, row(res.Host.Name, standingColor(standing), string(standing), "-", "-", "-", "-", "-", "-", "-"))
			continue
		}
		gen, system := "-", "-"
		if n := st.GenerationNumber(); n > 0 {
			gen = fmt.Sprint(n)
		}
		if st.Current != "" {
			system = st.Current.Hash()[:7]
		}
		fmt.Fprintln(w, row(res.Host.Name, standingColor(standing), string(standing), system, gen, age(st.GenerationMade), age(st.Uptime),
			fmt.Sprint(len(st.FailedUnits)), freeBytes(st.FreeBytes), milliseconds(st.RoundTrip)))
		for _, note := range res.Attention() {
			text := plain(note)
			if s.width > 0 {
				text = cut(text, max(10, s.width-host-4))
			}
			fmt.Fprintf(w, "%s  %s %s\n", strings.Repeat(" ", host), s.paint(yellow, "!"), text)
		}
	}
}

// statusBlock writes all that is known of one host.
func statusBlock(s screen, res fleet.Result) {
	st := res.Status
	line := func(key, text string) {
		if text = plain(text); text == "" {
			return
		}
		fmt.Fprintf(s.w, "  %s %s\n", s.paint(dim, pad(key, 11)), text)
	}
	standing := res.Standing()
	fmt.Fprintf(s.w, "%s: %s\n", s.paint(bold, plain(res.Host.Name)), s.paint(standingColor(standing), string(standing)))
	line("runs", orNothing(string(st.Current)))
	if names := strings.Join(st.Specialisations, ", "); names != "" {
		line("", "the specialisation "+names+" of what it boots")
	}
	same := func(path, other, text string) string {
		if path == other && path != "" {
			return text
		}
		return orNothing(path)
	}
	boots, known := st.Boots()
	line("boots", same(boots, string(st.Current), "what it runs"))
	switch {
	case res.Wanted != "" && !known:
		line("wanted", same(string(res.Wanted), string(st.Current), "what it runs"))
	case res.Wanted != "" && len(st.Specialisations) > 0:
		line("wanted", same(string(res.Wanted), string(st.Profile), "what it boots"))
	case res.Wanted != "":
		line("wanted", same(string(res.Wanted), string(st.Current), "what it runs"))
	}
	line("booted", same(string(st.Booted), string(st.Current), "what it runs"))
	if len(st.RebootPending) > 0 {
		line("reboot", "pending for: "+strings.Join(st.RebootPending, ", "))
	} else {
		line("reboot", "not needed")
	}
	if n := st.GenerationNumber(); n > 0 && st.GenerationMade > 0 {
		line("generation", fmt.Sprintf("%d, made %s ago", n, age(st.GenerationMade)))
	} else {
		line("generation", st.Generation)
	}
	line("NixOS", st.NixOS)
	line("revision", st.Revision)
	line("Nix", st.Nix)
	line("up", age(st.Uptime))
	line("systemd", st.State)
	line("failed", orNone(strings.Join(st.FailedUnits, ", ")))
	store := freeBytes(st.FreeBytes) + " free"
	if st.StoreBytes > 0 {
		store += " of " + Bytes(st.StoreBytes)
	}
	line("store", store)
	line("deploy as", map[fleet.Root]string{fleet.RootAlready: "root", fleet.RootSudo: "a user with sudo", fleet.RootSudoPassword: "a user with sudo and a password",
		fleet.RootDoas: "a user with doas", fleet.RootRun0: "a user with run0", fleet.RootNo: "not possible: neither root nor sudo"}[st.Root])
	line("under way", orNone(st.Busy()))
	line("round trip", milliseconds(st.RoundTrip))
	for _, note := range res.Attention() {
		fmt.Fprintf(s.w, "  %s %s\n", s.paint(yellow, "!"), plain(note))
	}
}

// statusSummary is one line on a run of Status, "" on any other.
func statusSummary(r *fleet.Report) string {
	counts := map[fleet.Standing]int{}
	var order []fleet.Standing
	status := false
	for _, res := range r.Results {
		st := res.Standing()
		if counts[st]++; counts[st] == 1 {
			order = append(order, st)
		}
		status = status || res.Status != nil && res.Checks == nil
	}
	switch {
	case !status:
		return ""
	case len(r.Results) == 1:
		return fmt.Sprintf("%s: %s, %s", r.Results[0].Host.Name, order[0], Seconds(r.Duration))
	}
	parts := make([]string, len(order))
	for i, st := range order {
		parts[i] = fmt.Sprintf("%d %s", counts[st], st)
	}
	return fmt.Sprintf("%d hosts: %s, %s", len(r.Results), strings.Join(parts, ", "), Seconds(r.Duration))
}

func standingColor(s fleet.Standing) string {
	switch s {
	case fleet.StandingCurrent, fleet.StandingUnknown:
		return green
	case fleet.StandingDiffers:
		return yellow
	}
	return red
}

func orNothing(text string) string { return orText(text, "nothing") }
func orNone(text string) string    { return orText(text, "none") }

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// age writes a long duration in its largest unit, "-" for none.
func age(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d m", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

func freeBytes(n int64) string {
	if n < 0 {
		return "-"
	}
	// Short: "931 GiB" rather than "931.2 GiB".
	text := Bytes(n)
	if value, unit, _ := strings.Cut(text, " "); utf8.RuneCountInString(value) > 3 {
		whole, _, _ := strings.Cut(value, ".")
		return whole + " " + unit
	}
	return text
}

func milliseconds(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%d ms", max(1, d.Round(time.Millisecond).Milliseconds()))
}

type jsonStatus struct {
	Standing         fleet.Standing `json:"standing"`
	Booted           string         `json:"booted,omitempty"`
	Profile          string         `json:"profile,omitempty"`
	Uncommitted      bool           `json:"uncommitted,omitempty"`
	Generation       int            `json:"generation,omitempty"`
	GenerationMade   float64        `json:"generation_age_seconds,omitempty"`
	NixOS            string         `json:"nixos,omitempty"`
	Revision         string         `json:"revision,omitempty"`
	Nix              string         `json:"nix,omitempty"`
	BootID           string         `json:"boot_id,omitempty"`
	Uptime           float64        `json:"uptime_seconds,omitempty"`
	State            string         `json:"systemd,omitempty"`
	FailedUnits      []string       `json:"failed_units"`
	FreeBytes        *int64         `json:"free_bytes,omitempty"`
	StoreBytes       int64          `json:"store_bytes,omitempty"`
	Root             fleet.Root     `json:"root,omitempty"`
	Busy             string         `json:"busy,omitempty"`
	Specialisations  []string       `json:"specialisations,omitempty"`
	Deployment       *jsonHeld      `json:"deployment,omitempty"`
	Restored         *jsonRestored  `json:"restored,omitempty"`
	DiffersSince     string         `json:"differs_since,omitempty"`
	SwitchInhibitors string         `json:"switch_inhibitors,omitempty"`
	Attention        []string       `json:"attention,omitempty"`
}

// newJSONStatus is nil for a host without one.
func newJSONStatus(res fleet.Result) *jsonStatus {
	st := res.Status
	if st == nil {
		return nil
	}
	out := &jsonStatus{
		Standing: res.Standing(), Booted: string(st.Booted), Profile: string(st.Profile), Uncommitted: st.Uncommitted,
		Generation: st.GenerationNumber(), GenerationMade: seconds(st.GenerationMade),
		NixOS: plain(st.NixOS), Revision: plain(st.Revision), Nix: plain(st.Nix), BootID: plain(st.BootID),
		Uptime: seconds(st.Uptime), State: plain(st.State), FailedUnits: allHarmless(st.FailedUnits),
		StoreBytes: st.StoreBytes, Root: fleet.Root(plain(string(st.Root))), Busy: plain(st.Busy()),
		SwitchInhibitors: plain(st.Inhibitors), Attention: allHarmless(res.Attention()),
	}
	if st.FreeBytes >= 0 {
		out.FreeBytes = &st.FreeBytes
	}
	out.Specialisations = allHarmless(st.Specialisations)
	if d := st.Deployment; d != nil {
		out.Deployment = &jsonHeld{d.State, plain(d.By), unixTime(d.Since), string(d.System), string(d.Previous), d.GoesBack, seconds(d.Left)}
	}
	if !st.DiffersSince.IsZero() {
		out.DiffersSince = jsonTime(st.DiffersSince)
	}
	if r := st.Restored; r != nil {
		out.Restored = &jsonRestored{string(r.System), plain(r.By), unixTime(r.At), plain(r.Why), r.OK}
	}
	return out
}

// jsonHeld is the deployment that has a host.
type jsonHeld struct {
	State    fleet.DeploymentState `json:"state"`
	By       string                `json:"by,omitempty"`
	Since    string                `json:"since,omitempty"`
	System   string                `json:"system,omitempty"`
	Previous string                `json:"previous,omitempty"`
	GoesBack bool                  `json:"goes_back"`
	Left     float64               `json:"left_seconds,omitempty"`
}

// jsonRestored is a deployment that a host took back by itself.
type jsonRestored struct {
	System string `json:"system,omitempty"`
	By     string `json:"by,omitempty"`
	At     string `json:"at,omitempty"`
	Why    string `json:"why,omitempty"`
	OK     bool   `json:"ok"`
}

// unixTime is "" for the zero time.
func unixTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
