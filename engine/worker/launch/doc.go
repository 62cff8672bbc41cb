// Package launch says what a worker pool runs and how: the apps, the interpreter, the
// number of processes, the limits. It also has the errors of a start that fails. It is
// data and runs nothing; engine/worker has the same types under the same names.
package launch
