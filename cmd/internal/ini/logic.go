package ini

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// logic is the if or for whose body is being read. uWSGI knows no nesting. It tests the condition,
// or runs the loop, again for each line of the body.
type logic struct {
	name string // the directive, empty outside
	arg  string
	// For else: whether the condition held, and whether it was tested at all.
	held, tested bool
}

func condition(key string) bool {
	return strings.HasPrefix(key, "if-") || key == "ifenv" || key == "ifexists" || key == "ifdir" || key == "ifplugin"
}

func loop(key string) bool { return key == "for" || strings.HasPrefix(key, "for-") }

// addBody adds e, a line of the current if or for, as often as that says.
func (l *List) addBody(e Entry) error {
	if l.logic.name == "else" {
		if l.logic.held {
			return nil
		}
		return l.append(e)
	}
	if loop(l.logic.name) {
		return l.each(e)
	}
	item, held, err := l.test(e)
	if err != nil {
		return err
	}
	l.logic.held, l.logic.tested = held, true
	if !held {
		if condition(e.Key) || loop(e.Key) {
			l.Warnf("%s: an if or for cannot be inside %s; it is skipped, and the next endif ends both",
				e.Origin.Name(e.Key), l.logic.name)
		}
		return nil
	}
	return l.appendItem(e, item)
}

// appendItem adds e with %(_) replaced. A nil item leaves %(_), as uWSGI does if a condition has
// nothing to offer.
func (l *List) appendItem(e Entry, item *string) error {
	if item != nil {
		if err := l.spend(len(e.Value) + strings.Count(e.Value, "%(_)")*len(*item)); err != nil {
			return e.Origin.Errorf(e.Key, "%w", err)
		}
		e.Value = strings.ReplaceAll(e.Value, "%(_)", *item)
	}
	return l.append(e)
}

// otherwise starts the body of an else.
func (l *List) otherwise(e Entry) error {
	if !condition(l.logic.name) {
		return e.Origin.Errorf(e.Key, "there is no if that it could belong to")
	}
	if !l.logic.tested {
		_, held, err := l.test(e)
		if err != nil {
			return err
		}
		l.logic.held = held
	}
	l.logic = logic{name: "else", held: l.logic.held}
	return l.append(e)
}

// test returns whether the current condition holds, and the value of %(_) then.
func (l *List) test(e Entry) (item *string, held bool, err error) {
	name := strings.TrimPrefix(strings.TrimPrefix(l.logic.name, "if"), "-")
	name, negated := strings.CutPrefix(name, "not-")
	arg := l.logic.arg
	item = &arg
	switch name {
	case "env", "opt":
		key, want, compares := strings.Cut(arg, "=")
		lookup := l.Get
		if name == "env" {
			lookup = l.world.Getenv
		}
		value, ok := lookup(key)
		held = ok && (!compares || value == want)
		item = nil
		if ok {
			item = &value
		}
	case "exists":
		held = l.world.Readable(arg)
	case "file":
		info, err := l.world.Stat(arg)
		held = err == nil && info.Mode().IsRegular()
	case "dir", "directory":
		info, err := l.world.Stat(arg)
		held = err == nil && info.IsDir()
	case "plugin":
		held = option.HasPlugin(arg)
	case "hostname":
		held = l.world.Host == arg
	case "hostname-match":
		re, err := regexp.Compile(arg)
		if err != nil {
			return nil, false, e.Origin.Errorf(l.logic.name, "%w", err)
		}
		held = re.MatchString(l.world.Host)
	case "reload":
		held, item = l.world.Reload, nil
	}
	return item, held != negated, nil
}

// each adds e once for every item of the current loop.
func (l *List) each(e Entry) error {
	var items []string
	switch arg := l.logic.arg; l.logic.name {
	case "for":
		items = strings.FieldsFunc(arg, func(r rune) bool { return r == ' ' })
	case "for-glob":
		items = l.glob(arg)
	case "for-times":
		n, _ := LeadingInt(arg)
		for i := int64(1); i <= n && i <= maxEntries; i++ {
			items = append(items, strconv.FormatInt(i, 10))
		}
		if n > maxEntries {
			return e.Origin.Errorf(l.logic.name, "more than %d times", maxEntries)
		}
	case "for-readline":
		text, err := l.world.Read(arg)
		if err != nil { // as in uWSGI, the lines of the body are left out
			if !slices.Contains(l.unread, arg) {
				l.unread = append(l.unread, arg)
				l.Warnf("%s: %v: what stands up to endfor is left out", e.Origin.Name(l.logic.name), err)
			}
			return nil
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "\x00")
			items = append(items, strings.TrimRight(line, "\r\n"))
		}
	}
	for _, item := range items {
		if err := l.appendItem(e, &item); err != nil {
			return err
		}
	}
	return nil
}

// glob expands a pattern as glob(3) does for uWSGI: directories end in a slash, a pattern has to
// ask for names that begin with a dot, and one that matches nothing stands for itself.
func (l *List) glob(pattern string) []string {
	found, err := l.world.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	var items []string
	for _, path := range found {
		if hidden(path, pattern) {
			continue
		}
		if info, err := l.world.Stat(path); err == nil && info.IsDir() && !strings.HasSuffix(path, "/") {
			path += "/"
		}
		items = append(items, path)
	}
	if err != nil || len(items) == 0 {
		return []string{pattern}
	}
	return items
}

// hidden reports whether a component of path begins with a dot where the pattern's does not.
func hidden(path, pattern string) bool {
	want := strings.Split(pattern, "/")
	for i, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, ".") && i < len(want) && !strings.HasPrefix(want[i], ".") {
			return true
		}
	}
	return false
}
