//go:build race

package e2e

// buildFlags gives the tested binary the race detector that the tests have.
var buildFlags = []string{"-race"}
