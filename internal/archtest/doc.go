// Package archtest holds the repository to its own design; it has tests only.
//
// Each rule is a function over a parsed tree: which folder may import which,
// what a library may not do, what must be documented, what every decision
// record, script and text file must satisfy. The table of folders is the rule
// to change, on purpose and in review, when the design changes. testdata holds,
// for every rule, a small tree that breaks it.
package archtest
