package lab
import ("testing";"os")
func TestColdDev(t *testing.T) {
	if os.Getenv("COLD") == "" { t.Skip("x") }
	t.Setenv("FLOTILLA_LAB_DIR", "/tmp/labdev2/lab")
	cfg := testConfig(t, "cold")
	l := mustUp(t, cfg)
	mustSh(t, l, Control, "ssh p620 true; test ! -e /etc/apt/sources.list")
	try(t, Down(t.Context(), cfg, DownOptions{}))
	if _, err := os.Stat("/tmp/labdev2/lab"); err == nil { t.Error("left") }
}
