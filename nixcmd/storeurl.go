package nixcmd

import (
	"fmt"
	"net/url"
	"strings"
)

// CopyURL is the store of a host, as Nix reaches it over ssh: the ssh-ng
// protocol over a single connection. The host may be a name, an alias of ssh's
// configuration, or an address, also an IPv6 one; an empty user leaves the
// choice to ssh. A port belongs into CopyOptions.SSHOpts: Nix takes one in the
// URL only since 2.31. Copy refuses a URL whose user or host is not one.
//
// More than one connection at a time deadlocks on ssh stores before Nix 2.32,
// and Determinate Nix uses many unless told otherwise.
func CopyURL(user, host string) string {
	authority := host
	if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
		authority = "[" + host + "]"
	}
	if user != "" {
		authority = user + "@" + authority
	}
	return "ssh-ng://" + authority + "?" + oneConnection
}

const oneConnection = "max-connections=1"

// storeURL checks the URL of a store and gives those that are reached over ssh
// a single connection if they do not say how many they want.
func storeURL(to string) (string, error) {
	switch {
	case to == "":
		return "", fmt.Errorf("no store given")
	case to[0] == '-':
		return "", fmt.Errorf("store %q looks like an option", abbreviated(to))
	case hasControl(to), strings.ContainsAny(to, " \t"):
		return "", fmt.Errorf("store %q holds white space or a control character", abbreviated(to))
	}
	rest, isNG := strings.CutPrefix(to, "ssh-ng://")
	if !isNG {
		var isSSH bool
		if rest, isSSH = strings.CutPrefix(to, "ssh://"); !isSSH {
			return to, nil
		}
	}
	authority, query, hasQuery := strings.Cut(rest, "?")
	if err := checkAuthority(authority); err != nil {
		return "", fmt.Errorf("store %q: %w", abbreviated(to), err)
	}
	if !hasQuery {
		return to + "?" + oneConnection, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("store %q: %w", abbreviated(to), err)
	}
	if values.Has("max-connections") {
		return to, nil
	}
	return to + "&" + oneConnection, nil
}

// marked has the far end's program run with a mark; a store that says which program it
// wants, or that is not reached by ssh-ng, is left as it is. Nix splits the value at
// white space, or hands it to the remote shell as it is (before 2.20).
func marked(url, mark string) (string, error) {
	if strings.Trim(mark, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", fmt.Errorf("%q is not a mark of letters and digits", abbreviated(mark))
	}
	if !strings.HasPrefix(url, "ssh-ng://") || strings.Contains(url, "remote-program=") {
		return url, nil
	}
	return url + "&remote-program=env%20" + MarkName + "%3D" + mark + "%20nix-daemon", nil
}

// checkAuthority makes sure that what ssh is given as user and host can be
// neither an option nor shell text for a ProxyCommand.
func checkAuthority(s string) error {
	host := s
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		host = s[i+1:]
		if user := s[:i]; !isSSHName(user, "") {
			return fmt.Errorf("%q is not a user's name", user)
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		address, port, ok := strings.Cut(inner, "]")
		if ok && isSSHName(address, ":%") && (port == "" || port[0] == ':' && isSSHName(port[1:], "")) {
			return nil
		}
	} else if isSSHName(host, ":") {
		return nil
	}
	return fmt.Errorf("%q is not a host", host)
}

func isSSHName(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("._-+", c) < 0 && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return s != "" && s[0] != '-'
}
