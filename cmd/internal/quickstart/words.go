package quickstart

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// shellWords splits a command as a shell does, as far as commands that start a server need it.
// Variables become $(NAME), which an ini file reads when the server starts. notes tell what could
// not stay.
type shellWords struct {
	words []string
	notes []string
}

var variable = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\})`)

// redirection sends the output of a command, or takes its input, elsewhere.
var redirection = regexp.MustCompile(`^(?:[0-9]*|&)(?:>>|>&|>|<)[ \t]*(?:"[^"]*"|'[^']*'|[^\s;|&<>"']+)`)

// operators end a command, or join it to others.
var operators = []string{"&&", "||", ";", "|", "&", ">", "<", "\n"}

func splitShell(text string) (*shellWords, error) {
	s := &shellWords{}
	var word strings.Builder
	begun := false
	end := func() {
		if begun {
			s.words = append(s.words, word.String())
		}
		word.Reset()
		begun = false
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "\\\n", " ")
	for quote := byte(0); text != ""; {
		c := text[0]
		switch {
		case quote == '\'' && c != '\'':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case c == '\\' && len(text) > 1 && (quote == 0 || strings.IndexByte(`"\$`, text[1]) >= 0):
			text = text[1:]
			word.WriteByte(text[0])
			begun = true
		case c == '$' || c == '`':
			used, value, err := s.expand(text)
			if err != nil {
				return nil, err
			}
			word.WriteString(value)
			text, begun = text[used-1:], true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r'):
			end()
		case quote == 0 && !begun && redirection.MatchString(text):
			found := redirection.FindString(text)
			s.notes = append(s.notes, fmt.Sprintf("%s is left out: the log goes to standard error, or to a file with logto", found))
			text = text[len(found)-1:]
		case quote == 0 && operator(text) != "":
			end()
			s.words = append(s.words, "\x00"+operator(text))
			text = text[len(operator(text))-1:]
		default:
			word.WriteByte(c)
			begun = true
		}
		text = text[1:]
		if text == "" && quote != 0 {
			return nil, fmt.Errorf("the quote %c is not closed", quote)
		}
	}
	end()
	return s, nil
}

func operator(text string) string {
	for _, o := range operators {
		if strings.HasPrefix(text, o) {
			return o
		}
	}
	return ""
}

// expand reads text that begins with a dollar, and returns its length and what it becomes.
func (s *shellWords) expand(text string) (used int, value string, err error) {
	if strings.HasPrefix(text, "$(nproc)") {
		return len("$(nproc)"), "%k", nil
	}
	if strings.HasPrefix(text, "`nproc`") {
		return len("`nproc`"), "%k", nil
	}
	m := variable.FindStringSubmatch(text)
	if m == nil {
		if strings.HasPrefix(text, "$(") || text[0] == '`' {
			return 0, "", fmt.Errorf("%q: the shell computes that: write what comes out in its place", text[:min(len(text), 30)])
		}
		return 1, "$", nil
	}
	name := m[1] + m[2]
	if m[3] != "" {
		value, source := m[3], "its default"
		if now, ok := os.LookupEnv(name); ok && now != "" {
			value, source = now, "what it is now"
		}
		s.notes = append(s.notes, fmt.Sprintf("%s is taken as %s, %s: an ini file knows no defaults, write $(%s) if it is always set", m[0], value, source, name))
		return len(m[0]), value, nil
	}
	return len(m[0]), "$(" + name + ")", nil
}
