package manual

import (
	"fmt"
	"io"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// value is what a shell offers after an option.
type value uint8

const (
	none  value = iota // the option takes no value
	words              // any text
	files
	folders
	users
	groups
)

// valueOf returns the value by its name in --help.
func valueOf(o *option.Option) value {
	switch o.Arg {
	case "":
		return none
	case "DIR":
		return folders
	case "FILE", "FILE[:SECTION]", "PIDFILE", "LOG":
		return files
	case "USER":
		return users
	case "GROUP":
		return groups
	}
	return words
}

// Bash writes completions for bash, which need nothing but bash.
func Bash(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# bash completion for uwsgo; generated from its options.
_uwsgo() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	if [[ $before == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $word == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 1]} word=
	fi
	COMPREPLY=()
`)
	b.WriteString("	local own=\n	case ${COMP_WORDS[1]} in\n")
	var commands []string
	for _, c := range Commands {
		commands = append(commands, c.Name)
		var flags []string
		fmt.Fprintf(&b, "	%s)\n		[[ $COMP_CWORD -gt 1 ]] && case $before in\n", c.Name)
		for _, f := range c.Flags {
			flags = append(flags, "--"+f.Name)
			if f.Arg == "" {
				fmt.Fprintf(&b, "		--%s) before= ;;\n", f.Name)
			} else {
				fmt.Fprintf(&b, "		--%s)\n			mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\")\n			return\n			;;\n", f.Name, strings.Join(f.Values, " "))
			}
		}
		fmt.Fprintf(&b, "		esac\n		own='%s'\n		;;\n", strings.Join(flags, " "))
	}
	b.WriteString("	esac\n	case $before in\n")
	spell := func(v value) string {
		var names []string
		for _, o := range config.Options.Rows() {
			if valueOf(o) != v {
				continue
			}
			for _, name := range append([]string{o.Name}, o.Aliases...) {
				names = append(names, "--"+name)
			}
			if o.Short != 0 {
				names = append(names, "-"+string(o.Short))
			}
		}
		return strings.Join(names, "|")
	}
	for _, c := range []struct {
		of   value
		call string
	}{
		{files, `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word")`},
		{folders, `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word")`},
		{users, `mapfile -t COMPREPLY < <(compgen -u -- "$word")`},
		{groups, `mapfile -t COMPREPLY < <(compgen -g -- "$word")`},
		{words, ``},
	} {
		if names := spell(c.of); names != "" {
			fmt.Fprintf(&b, "\t%s)\n\t\t%s\n\t\treturn\n\t\t;;\n", names, strings.TrimSpace(c.call+"\n"))
		}
	}
	var all []string
	for _, o := range config.Options.Rows() {
		all = append(all, "--"+o.Name)
	}
	fmt.Fprintf(&b, `	esac
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$own %s" -- "$word")
		return
	fi
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -d -- "$word")
	[[ $COMP_CWORD -eq 1 ]] && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W '%s' -- "$word")
	local file
	while IFS= read -r file; do
		case $file in
		*.ini | *.py | *.wsgi | *.yml | *.yaml | *.json | *.xml) COMPREPLY+=("$file") ;;
		esac
	done < <(compgen -f -- "$word")
}
complete -F _uwsgo uwsgo
`, strings.Join(all, " "), strings.Join(commands, " "))
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), "\t\t\n", ""))
	return err
}

// Zsh writes completions for zsh.
func Zsh(w io.Writer) error {
	var b strings.Builder
	b.WriteString("#compdef uwsgo\n# zsh completion for uwsgo; generated from its options.\n\nlocal -a own options\noptions=(\n")
	actions := map[value]string{words: " ", files: "_files", folders: "_files -/", users: "_users", groups: "_groups"}
	for _, o := range config.Options.Rows() {
		help := zshText(o.Help)
		v := valueOf(o)
		after, mark := "", ""
		if v != none {
			mark = "="
			after = ":" + zshText(strings.ToLower(o.Arg)) + ":" + actions[v]
			if o.Optional {
				mark, after = "=-", ":"+after
			}
		}
		fmt.Fprintf(&b, "  '*--%s%s[%s]%s'\n", o.Name, mark, help, after)
		if o.Short != 0 {
			mark := ""
			if v != none {
				mark = "+"
				if o.Optional {
					mark = "-"
				}
			}
			fmt.Fprintf(&b, "  '*-%c%s[%s]%s'\n", o.Short, mark, help, after)
		}
	}
	b.WriteString(")\n(( CURRENT > 2 )) && case $words[2] in\n")
	var commands []string
	for _, c := range Commands {
		commands = append(commands, c.Name+`:"`+c.Help+`"`)
		fmt.Fprintf(&b, "%s)\n", c.Name)
		for _, f := range c.Flags {
			mark, after := "", ""
			if f.Arg != "" {
				mark, after = "=", ":"+strings.ToLower(f.Arg)+": "
			}
			if f.Values != nil { // without the space, which would call it
				after = strings.TrimSpace(after) + "(" + strings.Join(f.Values, " ") + ")"
			}
			// A start has another option of the same name.
			fmt.Fprintf(&b, "  options=(${options:#'*--%s'[\\[=]*})\n", f.Name)
			fmt.Fprintf(&b, "  own+=('--%s%s[%s]%s')\n", f.Name, mark, zshText(f.Help), after)
		}
		b.WriteString("  ;;\n")
	}
	const apps = `_files -g "*.(ini|py|wsgi|yml|yaml|json|xml)(-.)"`
	fmt.Fprintf(&b, `esac
_uwsgo_first() {
  local -a commands=(%s)
  _describe -t commands command commands
  %s
}
_arguments -s -S $own $options '1:command, app or file:_uwsgo_first' '*:app or file:%s'
`, strings.Join(commands, " "), apps, apps)
	_, err := io.WriteString(w, b.String())
	return err
}

// zshText escapes text in a specification of _arguments, in single quotes.
func zshText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(s)
}

// Fish writes completions for fish.
func Fish(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# fish completion for uwsgo; generated from its options.\n")
	for _, c := range Commands {
		fmt.Fprintf(&b, "complete -c uwsgo -n __fish_use_subcommand -a %s -d '%s'\n", c.Name, fishText(c.Help))
		for _, f := range c.Flags {
			fmt.Fprintf(&b, "complete -c uwsgo -n '__fish_seen_subcommand_from %s' -l %s", c.Name, f.Name)
			if f.Arg != "" {
				fmt.Fprintf(&b, " -x -a '%s'", strings.Join(f.Values, " "))
			}
			fmt.Fprintf(&b, " -d '%s'\n", fishText(f.Help))
		}
	}
	actions := map[value]string{
		words: " -x", files: " -r -F", folders: " -x -a '(__fish_complete_directories)'",
		users: " -x -a '(__fish_complete_users)'", groups: " -x -a '(__fish_complete_groups)'",
	}
	for _, o := range config.Options.Rows() {
		fmt.Fprintf(&b, "complete -c uwsgo -l %s", o.Name)
		if o.Short != 0 {
			fmt.Fprintf(&b, " -s %c", o.Short)
		}
		if v := valueOf(o); v != none && !o.Optional {
			b.WriteString(actions[v])
		}
		fmt.Fprintf(&b, " -d '%s'\n", fishText(o.Help))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fishText escapes text in single quotes.
func fishText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s)
}
