package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// passwordFile names the file with the password for sudo: a path, in which {host}
// stands for the host's name, or "-" for standard input.
const passwordFile = "FLOTILLA_BECOME_PASSWORD_FILE"

// passwords are what a recipe has for sudo. The zero value has none.
type passwords struct {
	// each is the path of a file for each host; "" if one is for all.
	each string
	all  fleet.Password
}

// of is the password for a host; see fleet.Config.
func (p *passwords) of(_ context.Context, h fleet.Host) (fleet.Password, error) {
	if p.each == "" {
		return p.all, nil
	}
	return readPassword(strings.ReplaceAll(p.each, "{host}", h.Name))
}

// becoming is a question with another after it, for recipes that act as root: the
// password, if hosts want one and nobody has given it.
func becoming(ask question) question {
	return func(ctx context.Context, s session) error {
		if ask != nil {
			if err := ask(ctx, s); err != nil {
				return err
			}
		}
		return s.passwords.get(ctx, s)
	}
}

// get reads the password from its file or, where there is none, asks for it. Without
// a terminal it does nothing: the hosts that want one say so, and others go on.
func (p *passwords) get(ctx context.Context, s session) (err error) {
	switch file := os.Getenv(passwordFile); {
	case p.all != fleet.Password{} || p.each != "":
		return nil
	case strings.Contains(file, "{host}"):
		p.each = file
		return nil
	case file != "":
		p.all, err = readPassword(file)
		return err
	case !ui.CanAsk(os.Stdin):
		return nil
	}
	hosts := s.fleet.WantPassword(ctx, s.hosts)
	if len(hosts) == 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.all, err = askPassword(ctx, s.fleet, hosts)
	return err
}

// tries is how often a person may type a password, as with sudo.
const tries = 3

// askPassword asks until one of the hosts has taken what was typed.
func askPassword(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host) (fleet.Password, error) {
	prompt := fmt.Sprintf("Password for sudo on %s: ", listed(hosts))
	for try := 1; ; try++ {
		text, err := ui.AskPassword(ctx, os.Stdin, os.Stderr, prompt)
		if err != nil {
			return fleet.Password{}, err
		}
		password, err := fleet.NewPassword(text)
		if err == nil {
			err = f.TryPassword(ctx, hosts, password)
		}
		switch {
		case err == nil:
			return password, nil
		case ctx.Err() != nil:
			return fleet.Password{}, err
		case try == tries:
			return fleet.Password{}, fmt.Errorf("%v, for the third time: nothing was done", err)
		}
		fmt.Fprintf(os.Stderr, "%s; try again\n", ui.Harmless(err.Error(), onActions()))
	}
}

// readPassword reads the first and only line of a file.
func readPassword(name string) (fleet.Password, error) {
	file, what := os.Stdin, "standard input"
	if name != "-" {
		what = name
		var err error
		if file, err = os.Open(name); err != nil {
			return fleet.Password{}, fmt.Errorf("%s: the password for sudo cannot be read: %w", passwordFile, err)
		}
		defer file.Close()
	}
	bad := func(err error) (fleet.Password, error) {
		return fleet.Password{}, fmt.Errorf("%s: no password for sudo in %s: %w", passwordFile, what, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		return bad(err)
	case info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		return bad(fmt.Errorf("others can read it (mode %04o): chmod 600 it", info.Mode().Perm()))
	case ui.CanAsk(file):
		return bad(errors.New("it is a terminal: leave the variable out, and the password is asked for"))
	}
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return bad(err)
	}
	password, err := fleet.NewPassword(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
	if err != nil {
		return bad(err)
	}
	return password, nil
}
