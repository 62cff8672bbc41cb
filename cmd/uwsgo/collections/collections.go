// Package collections holds real configuration files beside reference uWSGI: each is started
// by both in a place of its own, and what a user would notice is compared. It holds nothing
// but a test, and `make collections` writes its table to docs/configurations.md.
package collections
