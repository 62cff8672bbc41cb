package manual

// Command is something that uwsgo does instead of serving, if its name is the first word.
type Command struct {
	Name, Help string
	Flags      []Flag
}

// Flag is an option of a command. A command also takes the options of a start.
type Flag struct {
	Name, Help string
	Arg        string   // empty for one without a value
	Values     []string // all possible values, if they can be listed
}

// Commands are all commands; cmd/uwsgo has their work.
var Commands = []Command{
	{"check", "say what a start with a configuration would say, without starting anything", []Flag{
		{Name: "strict", Help: "exit with 2 where a function is lost"},
		{Name: "format", Help: "write text, JSON or SARIF", Arg: "FORMAT", Values: []string{"text", "json", "sarif"}},
		{Name: "no-import", Help: "do not import the app"},
		{Name: "import-timeout", Help: "how long an import may take, in seconds", Arg: "SECS"},
		{Name: "file-alone", Help: "only what the files say: nothing of this machine, no import"},
	}},
	{"config", "print the options of a configuration after expansion, and where each comes from", []Flag{
		{Name: "json", Help: "print them as JSON"},
	}},
	{"route", "tell what the rules of a configuration do with a request", []Flag{
		{Name: "url", Help: "ask for this URL, or path and query", Arg: "URL"},
		{Name: "method", Help: "the method, GET", Arg: "METHOD"},
		{Name: "header", Help: "send this header field, any number", Arg: "NAME: VALUE"},
		{Name: "data", Help: "send this body", Arg: "TEXT"},
		{Name: "remote-addr", Help: "whose request it is, 127.0.0.1", Arg: "ADDR"},
		{Name: "var", Help: "ask over the uwsgi protocol, with this variable", Arg: "NAME=VALUE"},
		{Name: "status", Help: "what the app answers, 200", Arg: "STATUS"},
		{Name: "expect", Help: "exit with 2 if somebody else answers, or with another status", Arg: "WHO", Values: []string{"app", "file", "rule", "server", "closed"}},
		{Name: "json", Help: "print it as JSON"},
	}},
}
