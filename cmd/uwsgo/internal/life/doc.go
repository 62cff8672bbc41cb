// Package life has what goes on while a server lives: who asks for its end and how patient the end
// is, what asks for a reload, and which commands come by named pipes. It knows no options and
// starts nothing, so its tests need no process.
package life
