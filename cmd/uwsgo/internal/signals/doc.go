// Package signals carries uWSGI's signals: numbers from 0 to 255. Apps register functions for them;
// timers, times, files and apps send them.
//
// A [Router] knows which processes have a function for a signal. A signal becomes deliveries: one
// for any worker, or one for each worker that is meant. The router offers a delivery to all
// processes that may have it, and the first that asks gets it. So one free worker runs it once. A
// delivery is not lost when a worker dies or is replaced before it has asked.
//
// Timers and their kin belong to the code that has asked for them, a generation. They run from the
// moment when its workers serve. Those that the next generation asks for again go on where they
// were. Workers that import for themselves all ask for the same timers, which count once.
package signals
