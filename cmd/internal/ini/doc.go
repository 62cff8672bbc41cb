// Package ini reads uWSGI's ini dialect: line rules, sections, magic %x variables, includes, for
// and if, and the three passes that fill in $(NAME), @(file) and %(name). It keeps one list of
// options in order. The command line and the environment add theirs to it, because all share
// conditions and placeholders. What the options mean is up to package config.
//
// The dialect is that of uWSGI 2.0, with the else of 2.1. Its traps stay where files may rely on
// them, and get a warning where they surprise.
package ini
