package fleet

import (
	"fmt"
	"testing"
)

// Names and addresses of a tailnet are addresses like any other, also without a
// word of the host's name in them.
func TestTailnetAddresses(t *testing.T) {
	for _, c := range []struct{ written, address string }{
		{"p620.tail1234.ts.net", "p620.tail1234.ts.net"},
		{"p620.tail1234.ts.net.", "p620.tail1234.ts.net."},
		{"dex5550.yak-bebop.ts.net", "dex5550.yak-bebop.ts.net"},
		{"100.101.102.103", "100.101.102.103"},
		{"fd7a:115c:a1e0::1234:5678", "fd7a:115c:a1e0::1234:5678"},
		{"[fd7a:115c:a1e0:ab12:4843:cd96:6265:6667]", "fd7a:115c:a1e0:ab12:4843:cd96:6265:6667"},
	} {
		inv, err := parse("fleet.toml", fmt.Appendf(nil, "[hosts.p620]\naddress = %q\n", c.written))
		if err != nil {
			t.Errorf("%s: %v", c.written, err)
			continue
		}
		h, _ := inv.Host("p620")
		if h.Address != c.address {
			t.Errorf("%s: address %q, want %q", c.written, h.Address, c.address)
		}
		if err := target(h).Validate(); err != nil {
			t.Errorf("%s: ssh: %v", c.written, err)
		}
	}
	for _, written := range []string{"100.101.102.103:22", "p620.ts.net/x", "ssh p620", "fd7a:115c::x"} {
		if _, err := parse("fleet.toml", fmt.Appendf(nil, "[hosts.p620]\naddress = %q\n", written)); err == nil {
			t.Errorf("%q is taken", written)
		}
	}
}
