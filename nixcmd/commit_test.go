package nixcmd

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever directories are called, a commit's reference names that directory,
// and FlakeAttr takes it.
func TestCommitFlakeRef(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ -~äß]{1,12}`).Filter(func(s string) bool { return !strings.Contains(s, "/") && s != "." && s != ".." })
		c := Commit{ID: strings.Repeat("1", 40), in: Repository{Top: "/srv/" + name.Draw(t, "top"), Shallow: rapid.Bool().Draw(t, "shallow")}}
		dir := ""
		if rapid.Bool().Draw(t, "below") {
			dir = name.Draw(t, "one") + "/" + name.Draw(t, "two")
			c.in.Prefix = dir + "/"
		}
		ref := c.FlakeRef()
		u, err := url.Parse(ref)
		if err != nil || u.Scheme != "git+file" || u.Host != "" || u.Path != c.in.Top {
			t.Fatalf("%q: %+v, %v", ref, u, err)
		}
		_, query, _ := strings.Cut(ref, "?")
		got := map[string]string{}
		for setting := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(setting, "=")
			if got[key], err = url.PathUnescape(value); err != nil { // Nix knows "+" as itself
				t.Fatal(err)
			}
		}
		if got["rev"] != c.ID || got["dir"] != dir || (got["shallow"] == "1") != c.in.Shallow {
			t.Fatalf("%q: %v", ref, got)
		}
		if _, err := FlakeAttr(ref, "x"); err != nil {
			t.Fatalf("%q: %v", ref, err)
		}
	})
}

func TestParseChanged(t *testing.T) {
	a, b, zero := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("0", 40)
	diff := ":100644 100755 " + a + " " + b + " M\x00hosts/two words.nix\x00" +
		":000000 100644 " + zero + " " + b + " A\x00new\tname.nix\x00" +
		":000000 120000 " + zero + " " + b + " A\x00link.nix\x00" +
		":000000 160000 " + zero + " " + b + " A\x00module.nix\x00" +
		":100644 100644 " + a + " " + b + " M\x00README.md\x00"
	tree := "100644 blob " + a + "\tflake.nix\x00120000 blob " + a + "\tlink.nix\x00160000 commit " + a + "\tsub.nix\x00100644 blob " + b + "\tdir/odd\nname.nix\x00"
	for _, c := range []struct {
		out  string
		want []blob
	}{
		{diff, []blob{{"hosts/two words.nix", b}, {"new\tname.nix", b}}},
		{tree, []blob{{"flake.nix", a}, {"dir/odd\nname.nix", b}}},
		{"", nil},
		{"100644 blob " + a + "\t../outside.nix\x00", nil},
	} {
		got := parseChanged(c.out)
		if len(got) != len(c.want) {
			t.Errorf("%q: %v, want %v", c.out, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: %v, want %v", c.out, got, c.want)
			}
		}
	}
}

// What Git prints never leads out of the directory that files are written to.
func FuzzParseChanged(f *testing.F) {
	f.Add(":100644 100755 " + strings.Repeat("a", 40) + " " + strings.Repeat("b", 40) + " M\x00a.nix\x00")
	f.Add("100644 blob " + strings.Repeat("a", 40) + "\t../a.nix\x00")
	f.Fuzz(func(t *testing.T, out string) {
		for _, b := range parseChanged(out) {
			if strings.HasPrefix(b.path, "/") || b.path == ".." || strings.HasPrefix(b.path, "../") || !objectName.MatchString(b.object) {
				t.Errorf("%q: %v", out, b)
			}
		}
	})
}

// Objects come back as they went in, whatever they hold.
func TestNextObject(t *testing.T) {
	object := strings.Repeat("c", 40)
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOf(rapid.String()).Draw(t, "texts")
		var out strings.Builder
		for _, text := range texts {
			out.WriteString(object + " blob " + strconv.Itoa(len(text)) + "\n" + text + "\n")
		}
		rest := out.String()
		for _, want := range texts {
			var got string
			var err error
			if got, rest, err = nextObject(rest, object); err != nil || got != want {
				t.Fatalf("%q: %q, %v", want, got, err)
			}
		}
		if rest != "" {
			t.Fatalf("left over: %q", rest)
		}
	})
	for _, bad := range []string{"", object + " missing\n", object + " blob 5\nabc\n", object + " blob -1\n\n", object + " tree 1\na\n", object + " blob 99999999999999999999\n"} {
		if _, _, err := nextObject(bad, object); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
