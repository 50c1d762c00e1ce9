package chores

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// LabStatus writes a line for each machine of the lab.
func LabStatus(ctx context.Context, w io.Writer) error {
	c, err := LabConfig(w)
	if err != nil {
		return err
	}
	l, err := lab.Open(ctx, c)
	if errors.Is(err, lab.ErrNotRunning) {
		fmt.Fprintln(w, "the lab is not running; boot it with: go tool mage lab")
		return nil
	}
	if err != nil {
		return err
	}
	s, err := l.Status(ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MACHINE\tADDRESS\tSTATE\tUP\tSTORE FREE\tFAULTS")
	for _, m := range s.Machines {
		state, up := "off", ""
		if m.Running {
			state, up = m.System, m.Uptime.Round(time.Second).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d MiB\t%s\n", m.Name, m.Address, state, up, m.StoreFree>>20, faultsOf(m))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nlab %s keeps its files in %s\n", s.Name, s.Dir)
	return nil
}

func faultsOf(m lab.MachineStatus) string {
	var list []string
	if m.Cut {
		list = append(list, "link cut")
	}
	if m.Latency > 0 {
		list = append(list, "latency "+m.Latency.String())
	}
	if m.Loss > 0 {
		list = append(list, fmt.Sprintf("%g %% lost", m.Loss))
	}
	if m.Bandwidth > 0 {
		list = append(list, fmt.Sprintf("%d kbit/s", m.Bandwidth/1000))
	}
	if m.DiskFilled {
		list = append(list, "disk full")
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
