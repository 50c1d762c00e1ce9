package nixcmd

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Builder is a machine that Nix's build hook may build on. Its fields are those of a line
// of the machines file (Nix manual, "Remote builds"); what is empty or 0 is left to Nix.
type Builder struct {
	// URL is its store, such as "ssh-ng://root@p620".
	URL string
	// Systems are the platforms it builds for, such as "x86_64-linux". None means this
	// machine's own.
	Systems []string
	// SSHKey is the file of a private key for whoever runs the hook, who is root where a Nix
	// daemon does.
	SSHKey string
	// MaxJobs is how many derivations it takes at once; 0 means 1.
	MaxJobs int
	// SpeedFactor is how fast it is beside other builders; 0 means 1.
	SpeedFactor int
	// SupportedFeatures are what derivations may require of it, MandatoryFeatures those of
	// which they must require all.
	SupportedFeatures, MandatoryFeatures []string
	// PublicHostKey is its ssh host key in base64, as in NixOS's
	// nix.buildMachines.*.publicHostKey. It takes the place of known_hosts.
	PublicHostKey string
}

// line is the builder's line of a machines file.
func (b Builder) line() (string, error) {
	url, err := storeURL(b.URL)
	if err != nil {
		return "", err
	}
	if _, err := base64.StdEncoding.DecodeString(b.PublicHostKey); err != nil {
		return "", errors.New("the public host key is not base64")
	}
	fields := []string{
		url, strings.Join(b.Systems, ","), b.SSHKey, strconv.Itoa(max(b.MaxJobs, 1)), strconv.Itoa(max(b.SpeedFactor, 1)),
		strings.Join(b.SupportedFeatures, ","), strings.Join(b.MandatoryFeatures, ","), b.PublicHostKey,
	}
	for i, f := range fields {
		if strings.ContainsAny(f, " \t\r\n;#\"") {
			return "", fmt.Errorf("%q cannot be written in a machines file", abbreviated(f))
		}
		if f == "" {
			fields[i] = "-"
		}
	}
	return strings.Join(fields, " "), nil
}

// buildersArg is the value of Nix's setting "builders".
func buildersArg(builders []Builder) (string, error) {
	lines := make([]string, len(builders))
	for i, b := range builders {
		var err error
		if lines[i], err = b.line(); err != nil {
			return "", fmt.Errorf("builder %q: %w", abbreviated(b.URL), err)
		}
	}
	return strings.Join(lines, " ; "), nil
}
