// Package launch describes what a worker pool runs and how: the apps, the interpreter, the
// number of processes, the limits, and the errors of a failed start. It is data and runs
// nothing. engine/worker has the same types under the same names.
package launch
