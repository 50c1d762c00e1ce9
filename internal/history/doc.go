// Package history keeps what became of every run, in an SQLite database in the
// state directory: who started what, and for every host its outcome, steps, work
// and what went wrong.
//
// Several processes may write and read at the same time. Nothing but time and
// memories hang on it: what cannot be kept is for the caller to warn of, and a
// database that is damaged, or of a newer Flotilla, is set aside and another begun.
package history
