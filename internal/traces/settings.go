package traces

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings are what the environment says of an OTLP exporter of traces
// (OpenTelemetry's specification, "OpenTelemetry Protocol Exporter").
type settings struct {
	url     *url.URL
	headers http.Header
	timeout time.Duration
	gzip    bool
	tls     *tls.Config
}

// environment looks up variables.
type environment func(name string) string

// of is the variable for traces, or else the one for all signals.
func (e environment) of(name string) (value, variable string) {
	variable = "OTEL_EXPORTER_OTLP_TRACES_" + name
	if value = e(variable); value != "" {
		return value, variable
	}
	variable = "OTEL_EXPORTER_OTLP_" + name
	return e(variable), variable
}

// wanted reports whether traces are to be exported.
func (e environment) wanted() (bool, error) {
	if strings.EqualFold(e("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	endpoint, _ := e.of("ENDPOINT")
	switch exporter := e("OTEL_TRACES_EXPORTER"); exporter {
	case "":
		return endpoint != "", nil
	case "otlp":
		return true, nil
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: there are otlp and none", exporter)
	}
}

// settings reads them. Errors name variables, and no value that may be secret.
func (e environment) settings() (s settings, err error) {
	if s.url, err = e.endpoint(); err != nil {
		return s, err
	}
	if protocol, variable := e.of("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return s, fmt.Errorf("%s is %q: only http/protobuf is spoken here (as a rule on port 4318)", variable, protocol)
	}
	if s.headers, err = e.headers(); err != nil {
		return s, err
	}
	s.timeout = 10 * time.Second
	if text, variable := e.of("TIMEOUT"); text != "" {
		ms, err := strconv.ParseUint(text, 10, 31)
		if err != nil || ms == 0 {
			return s, fmt.Errorf("%s is %q: give milliseconds", variable, text)
		}
		s.timeout = time.Duration(ms) * time.Millisecond
	}
	switch compression, variable := e.of("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		return s, fmt.Errorf("%s is %q: there are gzip and none", variable, compression)
	}
	s.tls, err = e.tls()
	return s, err
}

func (e environment) endpoint() (*url.URL, error) {
	variable, suffix := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	text := e(variable)
	if text == "" {
		variable, suffix = "OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces"
		text = e(variable)
	}
	if text == "" {
		text = "http://localhost:4318"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is not the address of an OTLP receiver, such as http://127.0.0.1:4318", variable)
	}
	if suffix != "" {
		u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+suffix, ""
	}
	return u, nil
}

// headers are a list of NAME=VALUE with commas, percent-encoded.
func (e environment) headers() (http.Header, error) {
	h := http.Header{}
	list, variable := e.of("HEADERS")
	for n, item := range strings.Split(list, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, found := strings.Cut(item, "=")
		name, nameErr := url.PathUnescape(strings.TrimSpace(name))
		value, valueErr := url.PathUnescape(strings.TrimSpace(value))
		if !found || nameErr != nil || valueErr != nil || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("%s: header %d of it is not NAME=VALUE, percent-encoded", variable, n+1)
		}
		h.Set(name, value)
	}
	return h, nil
}

// isToken reports whether a text can be the name of a header (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// tls is nil if nothing is said of it.
func (e environment) tls() (*tls.Config, error) {
	ca, caName := e.of("CERTIFICATE")
	cert, certName := e.of("CLIENT_CERTIFICATE")
	key, keyName := e.of("CLIENT_KEY")
	if ca+cert+key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", caName, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s has no certificate in PEM", caName, ca)
		}
	}
	switch {
	case cert != "" && key != "":
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", certName, err)
		}
		c.Certificates = []tls.Certificate{pair}
	case cert+key != "":
		return nil, errors.New(certName + " and " + keyName + " go together")
	}
	return c, nil
}
