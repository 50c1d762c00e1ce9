// Package recipes holds Flotilla's Mage targets. A NixOS repository gets all of
// them with a magefile that imports this package:
//
//	//go:build mage
//
//	package main
//
//	//mage:import
//	import _ "github.com/nixflotilla/flotilla/recipes"
//
// Every exported function is a target. A HOST argument is a selector: host
// names, globs and @tags, separated by commas; '!' excludes.
//
// Options are pointers, nil if not given, and always in this order: on, for
// targets of all hosts, is the selector; yes (or FLOTILLA_YES=1) agrees beforehand;
// dry shows what deploying would do and activates nothing; json (or
// FLOTILLA_JSON=1) writes JSON lines; then what a target has for itself.
//
// FLOTILLA_FRESH=1, or -fresh, evaluates every host, whatever is known from earlier runs;
// FLOTILLA_VERIFY=1 does so too, and fails a host whose result is not the one that
// was known. FLOTILLA_BUILD_HOST=NAME builds every host's system there, whatever its build-host
// says; deployLocalBuild and deployCached build here all the same.
//
// FLOTILLA_BECOME_PASSWORD_FILE names a file with the password for sudo, in which {host}
// stands for the host's name; "-" is standard input. Without it, targets that act as
// root ask for the password on the terminal, before they begin, where sudo wants one.
//
// Progress goes to standard error, answers go to standard output. The exit code
// is 0 if every host ended well, 1 if all failed or nothing could be tried, 3 if
// some failed, 4 if some were rolled back and 130 after Ctrl-C; 2 is Mage's own.
package recipes
