// Package life has what goes on while a server lives: who asks for its end and how patient
// that is, what asks for a reload, and what is told of it. It knows no options and starts
// nothing, so its tests need no process.
package life
