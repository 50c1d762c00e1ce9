package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/health.sh
var healthScript string

// verdict is what one try of a check gave.
type verdict struct {
	ok   bool
	text string
}

// prober tries the checks of one host.
type prober struct {
	job  *job
	conn Remote
}

// here tries one check that is made from here.
func (p *prober) here(ctx context.Context, c HealthCheck) verdict {
	if len(c.CommandHere) > 0 {
		return p.runHere(ctx, c)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	ask := askHTTP
	if c.TCP != 0 {
		ask = askTCP
	}
	text, err := ask(ctx, c, p.job.host)
	if err != nil {
		return verdict{false, plainReason(err, c.timeout())}
	}
	return verdict{true, text}
}

func askTCP(ctx context.Context, c HealthCheck, h Host) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(h.Address, strconv.Itoa(c.TCP)))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("port %d takes connections", c.TCP), conn.Close()
}

// wrongAnswer is an answer that came, and is not the wanted one.
type wrongAnswer string

func (e wrongAnswer) Error() string { return string(e) }

func askHTTP(ctx context.Context, c HealthCheck, h Host) (string, error) {
	u, err := c.url(h)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	// A connection of its own each time: one that is kept may lead to a process
	// that takes no others any more.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	switch got := resp.StatusCode; {
	case c.Status != 0 && got != c.Status:
		return "", wrongAnswer(fmt.Sprintf("%s, wanted %d", resp.Status, c.Status))
	case c.Status == 0 && (got < 200 || got > 399):
		return "", wrongAnswer(resp.Status)
	case c.Body == "":
		return resp.Status, nil
	}
	wanted, err := regexp.Compile(c.Body)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if !wanted.Match(body) {
		return "", wrongAnswer(fmt.Sprintf("%s, but its body does not match %q", resp.Status, c.Body))
	}
	return resp.Status + ", body as wanted", nil
}

// plainReason says why there was no answer, without Go's names for it.
func plainReason(err error, timeout time.Duration) string {
	var (
		wrong wrongAnswer
		name  *net.DNSError
		errno syscall.Errno
	)
	switch {
	case errors.As(err, &wrong):
		return string(wrong)
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Sprintf("no answer within %s", timeout)
	case errors.As(err, &name) && name.IsNotFound:
		return "there is no host " + name.Name
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before an answer"
	}
	text := err.Error()
	// net/http begins with the method and the URL.
	if _, rest, ok := strings.Cut(text, `": `); ok && strings.HasPrefix(text, "Get ") {
		return rest
	}
	return text
}

// sessionGrace is what a session may take beyond the checks it makes.
const sessionGrace = 10 * time.Second

// there tries checks that are made on the host, all in one session.
func (p *prober) there(ctx context.Context, checks []HealthCheck) []verdict {
	var args []string
	longest := time.Duration(0)
	for _, c := range checks {
		kind, words := "command", c.Command
		if len(c.Units) > 0 {
			kind, words = "unit", c.Units
		}
		longest = max(longest, c.timeout())
		args = append(args, kind, timeoutArgument(c.timeout()), strconv.Itoa(len(words)))
		args = append(args, words...)
	}
	ctx, cancel := context.WithTimeout(ctx, longest+sessionGrace)
	defer cancel()
	res, err := p.conn.Run(ctx, sshpool.Cmd{Script: healthScript, Argv: args})
	verdicts := make([]verdict, len(checks))
	var a answer
	if err == nil {
		a, err = parseAnswer(string(res.Stdout))
	}
	for i, c := range checks {
		verdicts[i] = parseVerdict(a, i, c.timeout(), err)
	}
	if dropped(err) && ctx.Err() == nil {
		if conn, err := p.job.fleet.dialer.Connect(ctx, p.job.host); err == nil {
			p.conn = conn
		}
	}
	return verdicts
}

// timeoutArgument is a duration as timeout(1) takes it, for which 0 is none.
func timeoutArgument(d time.Duration) string {
	return strconv.FormatFloat(max(d, time.Millisecond).Seconds(), 'f', 3, 64)
}

// parseVerdict is the i-th check's part of what health.sh said.
func parseVerdict(a answer, i int, timeout time.Duration, err error) verdict {
	if err != nil {
		return verdict{false, "the host could not be asked: " + err.Error()}
	}
	word, text, _ := strings.Cut(a.values[fmt.Sprintf("check-%d", i+1)], " ")
	switch word {
	case "ok":
		return verdict{true, text}
	case "failed":
		return verdict{false, text}
	case "late":
		return verdict{false, fmt.Sprintf("no answer within %s", timeout)}
	}
	return verdict{false, "the host did not say"}
}
