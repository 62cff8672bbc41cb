// Package route is a handler in front of others that follows a list of rules for each
// request: uWSGI's internal routing.
//
// A rule is a condition and an action. [Parse] compiles one from the form that it has in
// uWSGI's options. [Handler] follows the rules in order on the loop. One that changes the
// response, the user or the time limit goes on with the next. One that answers, or refuses,
// ends the list, and so do last and continue, after which the next handler answers.
//
// What a rule cannot do is an error of Parse or [New]. What fails during a request
// refuses it: with 500, and a line in the log.
package route
