package nixcmd

import "testing"

// What a copy's log says of its failure (Nix 2.26), without the page of a web server and
// without titles of nothing.
func TestCopyMessage(t *testing.T) {
	for _, c := range []struct{ stderr, want string }{
		{"copying 2 paths...\nerror: while uploading to HTTP binary cache at 'http://c': error: unable to upload 'http://c/nar/x': HTTP error 500\n\n              response body:\n\n              <html>\n       <head><title>500</title></head>\n       </html>\n",
			"while uploading to HTTP binary cache at 'http://c': error: unable to upload 'http://c/nar/x': HTTP error 500"},
		{"error (ignored): error: unable to upload 'http://c/a': HTTP error 507\n\n response body:\n\n <html>\nerror: unable to upload 'http://c/b': HTTP error 507; response body:\n <html>\n",
			"unable to upload 'http://c/b': HTTP error 507"},
		{"error:\n       … writing file '/c/x'\n\n       error: writing to file: No space left on device\n",
			"… writing file '/c/x'\nwriting to file: No space left on device"},
		{"ssh: no route;\nerror: failed to start SSH connection to 'h'\n", "ssh: no route\nfailed to start SSH connection to 'h'"},
	} {
		if got := copyMessage(c.stderr); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}
