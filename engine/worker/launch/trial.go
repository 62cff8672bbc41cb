package launch

// Trial is what became of an import that was tried.
type Trial struct {
	Python, Path string      // version and interpreter
	Apps         []LoadedApp // those with a Reason do not load
	Threads      []string    // that run once the apps are imported
	Space        int64       // address space of the process then, in bytes; 0 where it is not known
	Output       string      // the end of what it printed
}
