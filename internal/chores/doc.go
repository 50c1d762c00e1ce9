// Package chores holds the work behind this repository's own Mage targets that
// are not recipes: checks, tests, and the lab as a person uses it.
package chores
