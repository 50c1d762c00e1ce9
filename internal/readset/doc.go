// Package readset tells whether the change from one source tree to another can
// have changed what a host of the flake evaluates to, by what earlier
// evaluations read.
//
// It is pure: Predict says no, or why it may have; Learn adds what a real
// evaluation showed. Store keeps results between runs.
package readset
