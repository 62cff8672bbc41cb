// Package chaos holds the tests of what a site lives through: workers that are
// killed, reloads, leaks, requests that hang, more load than the server can take.
// Each scenario runs the real binary under a load in open loop, whose requests
// are numbered, and compares what every client was told with what the app says
// it has run: so a request that is lost, run twice or answered with the answer
// of another is seen, whichever it is.
//
// Without flags each scenario takes some seconds and asserts what holds on a busy
// machine, too: outcomes, and ratios within the same run. With -full it takes as
// long as docs/reliability.md says and has to keep its bounds of time; -report
// writes that page from what was measured.
package chaos
