// Package emperor runs one server for each configuration file: uWSGI's emperor and its vassals.
//
// It has three parts. A [Court] is the policy: a state machine that decides what is due for each
// vassal. It knows no process and no file, and gets the time as an argument. A monitor finds the files.
// [Emperor] is the supervision: it carries out the court's orders and reports the results to it.
//
// Emperor and vassal talk over a pair of sockets, a byte at a time, as uWSGI's do: a vassal of
// uWSGI works below this emperor, and one of uwsgo's below uWSGI's.
package emperor

// What a vassal tells its emperor, a byte each; uWSGI's numbers.
const (
	Spawned   = 1  // its processes are there
	Accepting = 5  // it takes requests
	Loyal     = 17 // it has started: no more reason to doubt it
	Leaving   = 22 // it wants to be stopped
	Heartbeat = 26 // it lives
)

// What an emperor tells its vassal.
const (
	StopNow = 0
	Reload  = 1
	Stop    = 2 // once requests are finished
)

// FDEnv has the vassal's end of the pair, in its environment.
const FDEnv = "UWSGI_EMPEROR_FD"

// CodeEnv has the descriptor of a file with compiled code, which vassals share.
const CodeEnv = "UWSGO_VASSAL_CODE"

// NameEnv has the name by which its lines in a common log are told from those of others.
const NameEnv = "UWSGO_VASSAL"
