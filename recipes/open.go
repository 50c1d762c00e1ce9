package recipes

import (
	"fmt"
	"os"
	"strconv"

	"github.com/nixflotilla/flotilla/fleet"
)

// open opens the fleet of the working directory, with this program to connect for ssh.
func open(c fleet.Config) (*fleet.Fleet, error) {
	if program := self(); program != "" {
		c.SocketProgram = []string{program, passSocket}
	}
	return fleet.Open(c)
}

// openAnew is open for what evaluates, with what is known of earlier runs left out of it
// if the environment says so.
func openAnew(c fleet.Config) (_ *fleet.Fleet, err error) {
	if c.Fresh, err = isOn("FLOTILLA_FRESH"); err != nil {
		return nil, err
	}
	if c.Verify, err = isOn("FLOTILLA_VERIFY"); err != nil {
		return nil, err
	}
	return open(c)
}

// isOn reads a variable that is 1 or nothing: who says something else would go without what
// they rely on.
func isOn(name string) (bool, error) {
	text := os.Getenv(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s is %q: 1 is meant, or nothing", name, text)
	}
	return on, nil
}
