package ini

import (
	"strconv"
	"strings"
)

// declare makes an option of the configuration's own, as Debian's default.ini does. Its value is
// NAME=TEMPLATE. The template is KEY=VALUE;KEY=VALUE, where $1, $2 and so on are the words of the
// value.
func (l *List) declare(e Entry) error {
	name, template, ok := strings.Cut(e.Value, "=")
	if !ok || name == "" {
		return e.Origin.Errorf(e.Key, "%q is not of the form NAME=TEMPLATE", e.Value)
	}
	if l.table.Lookup(name) != nil {
		return nil // uWSGI finds its own first
	}
	if _, twice := l.declared[name]; twice {
		return nil
	}
	l.declared[name] = template
	for i := range l.Entries { // such as from the environment
		if e := l.Entries[i]; e.Key == name && !e.Settled {
			l.Entries[i].Settled = true
			if err := l.stand(e, template); err != nil {
				return err
			}
		}
	}
	return nil
}

// stand adds the options of the template. A part without = is a placeholder and nothing else.
func (l *List) stand(e Entry, template string) error {
	words := strings.FieldsFunc(e.Value, func(r rune) bool { return r == ' ' })
	if len(words) == 0 {
		words = []string{""}
	}
	fill := func(text string) (string, error) {
		for i, word := range words {
			mark := "$" + strconv.Itoa(i+1)
			n := strings.Count(text, mark)
			if n == 0 {
				continue
			}
			if err := l.spend(len(text) + n*len(word)); err != nil { // before it is made
				return "", err
			}
			text = strings.ReplaceAll(text, mark, word)
		}
		return text, nil
	}
	for part := range strings.SplitSeq(template, ";") {
		if part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil // uWSGI leaves out all that follow, too
		}
		key, err := fill(key)
		if err == nil {
			value, err = fill(value)
		}
		if err != nil {
			return e.Origin.Errorf(e.Key, "%w", err)
		}
		if err := l.append(Entry{Key: key, Value: value, HasValue: true, Origin: e.Origin}); err != nil {
			return err
		}
	}
	return nil
}
