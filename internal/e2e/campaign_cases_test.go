package e2e

var faults = []fault{}
