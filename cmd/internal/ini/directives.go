package ini

import (
	"github.com/uwsgo/uwsgo/cmd/internal/form"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// act does what a directive says, as soon as it is read.
type act func(l *List, e Entry) error

// directive is an option that acts while it is read. Those without an act have it elsewhere: else
// and endif in Add, inherit where the list is resolved.
type directive struct {
	option.Option
	act act
}

// Directives returns the options that act on the reading.
func Directives() []option.Option {
	var options []option.Option
	for _, d := range directives {
		d.Section = option.Configuration
		options = append(options, d.Option)
	}
	return options
}

// acts maps all names to what is done at once.
func acts() map[string]act {
	found := map[string]act{}
	for _, d := range directives {
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			found[name] = d.act
		}
	}
	return found
}

var directives = []directive{
	{
		Option: option.Option{
			Name: "ini", Kind: option.Action, Arg: "FILE[:SECTION]", Immediate: true, Status: option.Same,
			Help: "read options from this ini file, - for standard input; :SECTION alone is a section of the last file",
		},
		act: func(l *List, e Entry) error { return l.load(e.Value, own, e, true) },
	},
	{
		Option: option.Option{
			Name: "ini-paste", Aliases: []string{"ini-paste-logged", "pypy-ini-paste"}, Kind: option.Action, Arg: "FILE", Immediate: true, Status: option.Same,
			Help: "read options from this ini file, and run the app that PasteDeploy finds in it; ini-paste-logged sets up its logging, too",
		},
		act: func(l *List, e Entry) error { return l.load(e.Value, own, e, true) },
	},
	{
		Option: option.Option{
			Name: "yaml", Aliases: []string{"yml"}, Short: 'y', Kind: option.Action, Arg: "FILE[:SECTION]", Immediate: true, Status: option.Differs,
			Help: "read options from the block uwsgi: of this YAML file, or another",
			Note: "Read as by uWSGI with libyaml; what is no YAML is read line by line, as by one without.",
		},
		act: (*List).loadForm,
	},
	{
		Option: option.Option{
			Name: "json", Aliases: []string{"js"}, Short: 'j', Kind: option.Action, Arg: "FILE[:SECTION]", Immediate: true, Status: option.Same,
			Help: "read options from the object \"uwsgi\" of this JSON file, or another",
		},
		act: (*List).loadForm,
	},
	{
		Option: option.Option{
			Name: "xml", Aliases: []string{"xmlconfig"}, Short: 'x', Kind: option.Action, Arg: "FILE[:ID]", Immediate: true, Status: option.Same,
			Help: "read options from the element <uwsgi> of this XML file, or from the one with this id",
		},
		act: (*List).loadForm,
	},
	{
		Option: option.Option{
			Name: "toml", Kind: option.Action, Arg: "FILE[:TABLE]", Immediate: true, Status: option.Own,
			Help: "read options from the table [uwsgi] of this TOML file, or another, such as pyproject.toml:tool.uwsgi",
			Note: "Read like JSON: an array repeats its key.",
		},
		act: (*List).loadForm,
	},
	{
		Option: option.Option{
			Name: "config", Kind: option.Action, Arg: "FILE", Immediate: true, Status: option.Differs,
			Help: "read options from this file, whose form the end of its name tells",
			Note: "In uWSGI a plugin reads it.",
		},
		act: func(l *List, e Entry) error { return l.loadByName(e.Value, e, true) },
	},
	{
		Option: option.Option{
			Name: "allow-remote-config", Kind: option.Flag, Immediate: true, Status: option.Own,
			Help: "let files of options, given after this, be the output of commands (exec://COMMAND) or come from other machines (http://, https://)",
			Note: "uWSGI always does so. `@(exec://COMMAND)` in a value needs no permission, `@(http://...)` does.",
		},
		act: func(l *List, e Entry) error {
			l.remote = !e.HasValue || Bool(e.Value)
			return nil
		},
	},
	{
		Option: option.Option{
			Name: "include", Kind: option.Action, Arg: "FILE", Immediate: true, Status: option.Same,
			Help: "read options from this file at once",
		},
		act: func(l *List, e Entry) error { return l.loadByName(e.Value, e, false) },
	},
	{
		Option: option.Option{
			Name: "inherit", Kind: option.Action, Arg: "FILE", Status: option.Same,
			Help: "read options from this file after all others; its placeholders are not filled in",
		},
	},
	{
		Option: option.Option{
			Name: "set", Short: 'S', Kind: option.Action, Arg: "NAME=VALUE", Immediate: true, Status: option.Same,
			Help: "set an option or a placeholder",
		},
		act: func(l *List, e Entry) error { return l.set(e, false) },
	},
	{
		Option: option.Option{
			Name: "set-placeholder", Aliases: []string{"set-ph"}, Kind: option.Action, Arg: "NAME=VALUE", Immediate: true, Status: option.Same,
			Help: "set a placeholder, which %(NAME) stands for",
		},
		act: func(l *List, e Entry) error { return l.set(e, true) },
	},
	{
		Option: option.Option{
			Name: "declare-option", Aliases: []string{"declare-option2"}, Kind: option.Action, Arg: "NAME=TEMPLATE", Immediate: true, Status: option.Differs,
			Help: "make an option that stands for others: web=http=$1;processes=$2, and then web = :8080 4",
			Note: "What it stands for is taken in its place in the file; uWSGI takes it before all other options. On the command line the new option is given as `--set NAME=VALUE`.",
		},
		act: (*List).declare,
	},
	{
		Option: option.Option{
			Name: "if-env", Aliases: []string{"ifenv", "if-not-env"}, Kind: option.Action, Arg: "NAME[=VALUE]", Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only if the environment variable is set, or has this value",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-opt", Aliases: []string{"if-not-opt"}, Kind: option.Action, Arg: "NAME[=VALUE]", Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only if the option is set, or has this value",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-exists", Aliases: []string{"ifexists", "if-not-exists"}, Kind: option.Action, Arg: "PATH", Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only if the path exists",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-file", Aliases: []string{"if-not-file"}, Kind: option.Action, Arg: "PATH", Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only if the path is a regular file",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-dir", Aliases: []string{"ifdir", "if-directory", "if-not-dir"}, Kind: option.Action, Arg: "PATH", Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only if the path is a directory",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-plugin", Aliases: []string{"ifplugin", "if-not-plugin"}, Kind: option.Action, Arg: "NAME", Immediate: true, Status: option.Differs,
			Help: "take the lines up to endif only if uwsgo does what the plugin does",
			Note: "The Python, http, static, log file and similar plugins count as loaded.",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-hostname", Aliases: []string{"if-not-hostname"}, Kind: option.Action, Arg: "NAME", Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only on this host",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-hostname-match", Aliases: []string{"if-not-hostname-match"}, Kind: option.Action, Arg: "REGEXP", Immediate: true, Status: option.Differs,
			Help: "take the lines up to endif only on hosts whose name matches",
			Note: "The expression is RE2's, without backreferences and lookaround.",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "if-reload", Aliases: []string{"if-not-reload"}, Kind: option.Action, Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only when the server is being reloaded",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "else", Kind: option.Action, Immediate: true, Status: option.Same,
			Help: "take the lines up to endif only if the ones before were not taken",
			Note: "As in uWSGI 2.1.",
		},
	},
	{
		Option: option.Option{
			Name: "endif", Aliases: []string{"end-if", "endfor", "end-for", "end"}, Kind: option.Action, Immediate: true, Status: option.Same,
			Help: "end the lines of an if or a for",
		},
	},
	{
		Option: option.Option{
			Name: "for", Kind: option.Action, Arg: "WORDS", Immediate: true, Status: option.Same,
			Help: "take each line up to endfor once for every word, which %(_) stands for",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "for-glob", Kind: option.Action, Arg: "PATTERN", Immediate: true, Status: option.Same,
			Help: "the same for every path that matches the pattern",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "for-times", Kind: option.Action, Arg: "N", Immediate: true, Status: option.Same,
			Help: "the same for the numbers from 1 to N",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "for-readline", Kind: option.Action, Arg: "FILE", Immediate: true, Status: option.Same,
			Help: "the same for every line of a file",
		},
		act: (*List).begin,
	},
	{
		Option: option.Option{
			Name: "strict", Kind: option.Flag, Immediate: true, Status: option.Same,
			Help: "end the start when a file names an option that does not exist, rather than warn",
		},
		act: func(l *List, e Entry) error {
			l.strict = Bool(e.Value)
			return nil
		},
	},
}

// begin begins the body of an if or a for.
func (l *List) begin(e Entry) error {
	if l.logic.name != "" {
		return e.Origin.Errorf(e.Key, "an if or for cannot be inside %s: end that first", l.logic.name)
	}
	l.logic = logic{name: e.Key, arg: e.Value}
	return nil
}

// loadForm reads a file of another form, which the option's name tells.
func (l *List) loadForm(e Entry) error {
	kind, _ := form.ByOption(e.Key)
	return l.load(e.Value, kind, e, true)
}
