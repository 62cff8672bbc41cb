// Package ini reads uWSGI's ini dialect: line rules, sections, magic %x
// variables, includes, for and if, and the three passes that fill in $(NAME),
// @(file) and %(name). It keeps what it read as one list of options in order,
// to which the command line and the environment add theirs, because all of them
// share conditions and placeholders. What the options mean is package config's
// matter.
//
// The dialect is that of uWSGI 2.0, with the else of 2.1. Traps are kept where
// files may rely on them and warned about where they surprise.
package ini
