package launch

// Trial is the result of a trial import.
type Trial struct {
	Python, Path string      // version and interpreter
	Apps         []LoadedApp // those with a Reason do not load
	Threads      []string    // threads that run after the import
	Space        int64       // address space of the process after it, in bytes; 0 if unknown
	Output       string      // the end of what it printed
}
