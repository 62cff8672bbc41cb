// Package signals carries uWSGI's signals: numbers from 0 to 255 that apps register functions
// for, and that timers, times, files and apps send.
//
// A [Router] knows which processes have a function for a signal. A signal that is sent
// becomes deliveries: one for any worker, or one for each worker that is meant. A delivery is
// offered to all processes that may have it, and the first that asks gets it. So it is run
// once, by a worker that is free, and none is lost when a worker dies or is replaced before
// it has asked.
//
// Timers and their kin belong to the code that has asked for them, a generation. They run
// from the moment its workers serve, and those that the next generation asks for again go on
// where they were. Workers that import for themselves all ask for the same: that counts once.
package signals
