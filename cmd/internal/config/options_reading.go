package config

import (
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// ReadingConfig is about the configuration itself.
type ReadingConfig struct {
	Show    bool     // call ShowConfig before serving
	Plugins []string // of uWSGI, by name; see option.PythonPlugin
}

// firstOnly refuses an option that has to be the first one. Package quickstart does those that only
// print something.
func firstOnly(_ *resolver, e ini.Entry) error {
	return e.Origin.Errorf(e.Key, "it has to be the first option of the command line, and the only one")
}

var readingRows = []row{
	{
		Option: option.Option{
			Name: "plugins", Aliases: []string{"plugin", "need-plugins", "need-plugin"}, Kind: option.List, Arg: "NAMES", Immediate: true, Status: option.Differs,
			Help: "accept uWSGI's plugin names, separated by commas",
			Note: "What is supported is built in. A name that uwsgo has nothing for is lost; with need-plugin it ends the start.",
		},
		set: (*resolver).plugins,
	},
	{
		Option: option.Option{
			Name: "ignore-unsupported", Kind: option.List, Arg: "NAMES", Status: option.Own,
			Help: "start although these options, separated by commas, protect something and are not supported; route:ACTION for an action of route",
			Note: "Such an option ends the start otherwise, with the name to write here. The log names them at each start.",
		},
		set: (*resolver).giveUp,
	},
	{
		Option: option.Option{
			Name: "show-config", Kind: option.Flag, Status: option.Same,
			Help: "print the options in force, as an ini file, and go on",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Show, e) },
	},
	{
		Option: option.Option{
			Name: "version", Kind: option.Action, Status: option.Differs,
			Help: "print the version and exit",
			Note: "Prints uwsgo's version and the uWSGI release it follows; started under a name that begins with `uwsgi`, only that release.",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.Action = Version
			return nil
		},
	},
	{
		Option: option.Option{
			Name: "from-gunicorn", Kind: option.Action, Arg: "COMMAND", Status: option.Own,
			Help: "print the ini file for a command of gunicorn's, and exit: --from-gunicorn 'gunicorn app:app -w 4'",
			Note: "The first option of the command line. gunicorn.conf.py counts, too; what cannot be done is in comments.",
		},
		set: firstOnly,
	},
	{
		Option: option.Option{
			Name: "completion", Kind: option.Action, Arg: "SHELL", Status: option.Own,
			Help: "print the completion of options for bash, zsh or fish, and exit",
			Note: "The first option of the command line. `uwsgo --completion bash > /etc/bash_completion.d/uwsgo`; packages bring it along.",
		},
		set: firstOnly,
	},
	{
		Option: option.Option{
			Name: "help", Aliases: []string{"usage"}, Short: 'h', Kind: option.Action, Status: option.Same,
			Help: "print the options and exit",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.Action = Help
			return nil
		},
	},
}

// plugins notes the plugins. As in uWSGI, a missing one that is needed ends the start.
func (r *resolver) plugins(e ini.Entry) error {
	for name := range strings.SplitSeq(e.Value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		r.Plugins = append(r.Plugins, name)
		if option.HasPlugin(name) {
			continue
		}
		if strings.HasPrefix(e.Key, "need-") {
			return e.Origin.Errorf(e.Key, "uwsgo has nothing that does what the plugin %s does", name)
		}
		r.lost(e, "plugin "+name, "uwsgo has nothing that does what this plugin does: leave it out if nothing needs it")
	}
	return nil
}
