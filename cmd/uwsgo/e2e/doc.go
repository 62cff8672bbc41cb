// Package e2e tests the uwsgo binary from outside, with the real nginx, Flask,
// Django and uwsgitop: what the tutorial of docs/examples promises, and what
// bad input and dying processes must not do. It holds nothing but tests.
//
// Run it through `make e2e`, which brings the virtualenv in build/testenv. The
// tests that need a part this machine lacks say SKIP and why. E2E_BINARY names
// another binary to test, such as the reference uWSGI, to learn what it does.
package e2e
