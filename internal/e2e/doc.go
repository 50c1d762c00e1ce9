// Package e2e tests the compiled targets from outside, as a user runs them: with
// scripted fakes of nix for the many cases, and on the lab's real hosts for the
// truth. It holds nothing but tests.
package e2e
