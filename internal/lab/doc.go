// Package lab keeps a small fleet of real hosts on this machine, for tests and
// for the demo: five containers with systemd, OpenSSH and Nix, joined by a
// private bridge. One of them, control, is where Flotilla runs; the other four
// are the machines it deploys to. Plugs can be pulled, links cut, slowed and
// narrowed, and stores filled up.
//
// A lab belongs to a repository and outlives the process that made it. What it
// consists of can always be found again by name, without trusting a record
// that a crash may have left behind:
//
//   - its files lie in one directory below the cache (see Config);
//   - its processes are those in the control groups named flotilla-LAB-MACHINE
//     (with a mark after LAB if the cache is not in root's usual place), so a
//     process is never mistaken for one of the lab's by its number;
//   - its links are in network namespaces of the same names. The bridge has a
//     namespace of its own too, so this machine's own network is not touched at
//     all, and every lab can use the same addresses;
//   - its mounts are below its directory.
//
// Changes to one lab are serialised by a file lock, so several processes may
// work on it at the same time.
package lab
