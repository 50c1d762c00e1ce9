// Package demo shows Flotilla at work: it boots the lab and deploys to its
// hosts, with the commands a user would type.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/nixflotilla/flotilla/internal/chores"
	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// Run boots the lab and plays the demo, writing to w. It leaves the lab running
// and may be run again; the change it makes is then another one.
func Run(ctx context.Context, w io.Writer) error {
	s := &show{w: w, began: time.Now()}
	if f, ok := w.(*os.File); ok {
		s.color = term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
	}
	c, err := chores.LabConfig(w)
	if err != nil {
		return err
	}
	s.title("Four real hosts on this machine: systemd, sshd and Nix in containers")
	if s.lab, err = lab.Up(ctx, c); err != nil {
		return err
	}
	for _, scene := range scenes() {
		s.title(scene.title)
		if err := scene.play(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", scene.title, err)
		}
	}
	s.end()
	return nil
}

type scene struct {
	title string
	play  func(context.Context, *show) error
}

func scenes() []scene {
	command := func(title, line string) scene {
		return scene{title, func(ctx context.Context, s *show) error { return s.command(ctx, line) }}
	}
	return []scene{
		command("Do they answer?", "flotilla pingHosts"),
		command("Does every host's configuration evaluate and build?", "flotilla testAllParallel"),
		command("Deploy all of them at once", "flotilla deployAllParallel -yes"),
		command("Nothing changed: nothing is deployed", "flotilla quickDeploy razer"),
		{"Change one line of one host's module", change},
		command("What would that do?", "flotilla diff razer"),
		command("Deploy it", "flotilla quickDeploy razer"),
		{"Did the unit really change on the host?", look},
	}
}

// show is a demo under way.
type show struct {
	w      io.Writer
	color  bool
	lab    *lab.Lab
	began  time.Time
	scene  int
	before string
}

func (s *show) title(text string) {
	s.scene++
	s.bold(fmt.Sprintf("\n── %d. %s", s.scene, text))
}

func (s *show) bold(text string) {
	if s.color {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Fprintln(s.w, text)
}

// command runs a shell command in control and shows it, its output and its
// time.
func (s *show) command(ctx context.Context, line string) error {
	fmt.Fprintf(s.w, "$ %s\n", line)
	began := time.Now()
	_, err := s.lab.Exec(ctx, lab.ExecOptions{Argv: []string{"/bin/sh", "-c", "exec 2>&1; " + line}, Stdout: s.print})
	fmt.Fprintf(s.w, "(%.1f s)\n", time.Since(began).Seconds())
	var pe *proc.Error
	if errors.As(err, &pe) && pe.Code > 0 {
		return fmt.Errorf("exit code %d", pe.Code)
	}
	return err
}

func (s *show) print(line string) { fmt.Fprintln(s.w, line) }

// changeLine edits one host's module, back and forth at every run, and shows
// the edit.
const changeLine = `f=hosts/razer/audio.nix; grep RATE.= $f; sed -i 's/RATE = "48000"/RATE = "96000"/;t;s/RATE = "96000"/RATE = "48000"/' $f; grep RATE.= $f`

func change(ctx context.Context, s *show) error {
	before, err := s.unit(ctx)
	if err != nil {
		return err
	}
	s.before = before
	return s.command(ctx, changeLine)
}

// look shows the unit before and after.
func look(ctx context.Context, s *show) error {
	after, err := s.unit(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.w, "razer's own systemd on razer-audio.service, and what the service wrote:\n  before: %s\n  after:  %s\n", s.before, after)
	if after == s.before {
		return errors.New("the unit did not change")
	}
	return nil
}

// unit is what razer says of the demo's unit.
func (s *show) unit(ctx context.Context) (string, error) {
	res, err := s.lab.Exec(ctx, lab.ExecOptions{Host: "razer", Argv: []string{"/bin/sh", "-c",
		"systemctl show --property=ActiveState,MainPID razer-audio.service; cat /run/razer-audio/state"}})
	if err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(res.Stdout)), " "), nil
}

func (s *show) end() {
	s.bold(fmt.Sprintf("\n── Done in %.0f s. The lab keeps running.", time.Since(s.began).Seconds()))
	fmt.Fprintf(s.w, `
explore: go tool mage labExec bash         (a shell in control; edit hosts/p510/*.nix, then: flotilla quickDeploy p510)
         go tool mage labExec 'flotilla diff p510'
         go tool mage labStatus
remove:  go tool mage labDown
`)
}
