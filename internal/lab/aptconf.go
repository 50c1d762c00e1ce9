package lab

import (
	"bytes"
	"context"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// fetchSettings returns how this machine's apt reaches its archives, as text
// for an apt.conf(5): mmdebstrap(1) starts from a configuration of its own and
// would know neither a proxy nor that release files are old on purpose, as
// those of a snapshot are.
func fetchSettings(ctx context.Context) (string, error) {
	res, err := tool(ctx, proc.Cmd{Argv: []string{"apt-config", "dump"}})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range bytes.Lines(res.Stdout) {
		if isFetchSetting(string(line)) {
			b.Write(line)
		}
	}
	return b.String(), nil
}

func isFetchSetting(line string) bool {
	name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
	name = strings.ToLower(name)
	if value == `"";` || !strings.HasPrefix(name, "acquire::") {
		return false
	}
	switch name {
	case "acquire::check-valid-until", "acquire::check-date":
		return true
	}
	return strings.HasPrefix(name, "acquire::http::proxy") ||
		strings.HasPrefix(name, "acquire::https::proxy") ||
		strings.Contains(name, "proxy-auto-detect") || strings.Contains(name, "proxyautodetect")
}
