package lab

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// defaultMirror is Debian's own redirector, for machines whose apt does not
// name another.
const defaultMirror = "http://deb.debian.org/debian"

// aptSource is one archive of sources.list(5).
type aptSource struct {
	uris, suites, components []string
}

// debianMirror returns the mirror this machine's apt takes Debian from, which
// is likely the one that it can reach. root is this machine's file system; an
// unreadable or unusual configuration gives the default.
func debianMirror(root fs.FS) string {
	codename := osReleaseField(root, "VERSION_CODENAME")
	if osReleaseField(root, "ID") != "debian" || codename == "" {
		return defaultMirror
	}
	for _, s := range aptSources(root) {
		if !slices.Contains(s.suites, codename) || !slices.Contains(s.components, "main") {
			continue
		}
		for _, uri := range s.uris {
			if strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://") {
				return strings.TrimSuffix(uri, "/")
			}
		}
	}
	return defaultMirror
}

func aptSources(root fs.FS) []aptSource {
	var sources []aptSource
	if data, err := fs.ReadFile(root, "etc/apt/sources.list"); err == nil {
		sources = append(sources, parseSourcesList(string(data))...)
	}
	entries, err := fs.ReadDir(root, "etc/apt/sources.list.d")
	if err != nil {
		return sources
	}
	for _, e := range entries {
		data, err := fs.ReadFile(root, path.Join("etc/apt/sources.list.d", e.Name()))
		if err != nil {
			continue
		}
		switch path.Ext(e.Name()) {
		case ".list":
			sources = append(sources, parseSourcesList(string(data))...)
		case ".sources":
			sources = append(sources, parseDeb822(string(data))...)
		}
	}
	return sources
}

// parseSourcesList reads the one-line style: deb [options] uri suite component….
func parseSourcesList(text string) []aptSource {
	var sources []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "deb" {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, after, ok := strings.Cut(rest, "]")
			if !ok {
				continue
			}
			rest = after
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		sources = append(sources, aptSource{uris: fields[:1], suites: fields[1:2], components: fields[2:]})
	}
	return sources
}

// parseDeb822 reads paragraphs of Field: value lines, separated by empty ones;
// an indented line continues the one before (deb822(5)).
func parseDeb822(text string) []aptSource {
	var sources []aptSource
	fields, last := make(map[string]string), ""
	flush := func() {
		types := strings.Fields(fields["types"])
		if slices.Contains(types, "deb") && !strings.EqualFold(strings.TrimSpace(fields["enabled"]), "no") {
			sources = append(sources, aptSource{
				uris:       strings.Fields(fields["uris"]),
				suites:     strings.Fields(fields["suites"]),
				components: strings.Fields(fields["components"]),
			})
		}
		fields, last = make(map[string]string), ""
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case strings.HasPrefix(line, " "), strings.HasPrefix(line, "\t"):
			fields[last] += " " + line
		default:
			name, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = value
		}
	}
	flush()
	return sources
}

// osReleaseField reads a field of os-release(5), without its quotes.
func osReleaseField(root fs.FS, name string) string {
	data, err := fs.ReadFile(root, "etc/os-release")
	if errors.Is(err, fs.ErrNotExist) {
		data, err = fs.ReadFile(root, "usr/lib/os-release")
	}
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && key == name {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}
