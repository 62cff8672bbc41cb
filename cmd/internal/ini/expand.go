package ini

import (
	"strconv"
	"strings"
)

// Expand fills in $(NAME) from the environment, then @(file) with the file's content, then %(name)
// from other options, in every value that has not acted yet. Unknown names stay as they are
// written.
func (l *List) Expand() error {
	for _, pass := range l.passes() {
		for i := range l.Entries {
			e := &l.Entries[i]
			if e.Settled && pass.symbol == '%' {
				l.refer(e.Value)
			}
			if e.Settled || !e.HasValue {
				continue
			}
			if err := l.fill(e, pass); err != nil {
				return e.Origin.Errorf(e.Key, "%w", err)
			}
		}
	}
	return nil
}

// refer notes the placeholders of an entry that Filled may fill in later.
func (l *List) refer(value string) {
	for from := 0; ; {
		begin, end := reference(value, '%', from)
		if begin < 0 {
			return
		}
		l.used[value[begin:end]] = true
		from = end + 1
	}
}

// Filled returns the value of e after Expand, also if e has already acted: uWSGI reads listen =
// @(file) too early to see the file's contents.
func (l *List) Filled(e Entry) (string, error) {
	if !e.HasValue {
		return "", nil
	}
	for _, pass := range l.passes() {
		if err := l.fill(&e, pass); err != nil {
			return "", e.Origin.Errorf(e.Key, "%w", err)
		}
	}
	return e.Value, nil
}

// pass is one kind of reference, with its values.
type pass struct {
	symbol byte
	lookup func(key string) (string, bool, error)
}

func (l *List) passes() []pass {
	return []pass{
		{'$', func(name string) (string, bool, error) { v, ok := l.world.Getenv(name); return v, ok, nil }},
		{'@', l.content},
		{'%', l.placeholder},
	}
}

// fill replaces the references of one kind in e. As in uWSGI, it starts again at the second byte of
// the value after each, so that it fills in what it has put in, unless that is at the very start.
func (l *List) fill(e *Entry, p pass) error {
	from := 0
	for {
		begin, end := reference(e.Value, p.symbol, from)
		if begin < 0 {
			return nil
		}
		value, ok, err := p.lookup(e.Value[begin:end])
		if err != nil {
			return err
		}
		if !ok {
			from = end + 1
			continue
		}
		if err := l.spend(len(e.Value[:begin-2]) + len(value) + len(e.Value[end+1:])); err != nil {
			return err
		}
		e.Value = e.Value[:begin-2] + value + e.Value[end+1:]
		from = 1
	}
}

// reference finds the next symbol(key) in v and returns the ends of the key, or -1. A key may
// contain pairs of parentheses. A further symbol in it starts a new reference, so inner ones come
// first.
func reference(v string, symbol byte, from int) (begin, end int) {
	begin = -1
	depth, armed := 0, false
	for j := min(from, len(v)); j < len(v); j++ {
		c := v[j]
		switch {
		case c == symbol:
			begin = -1
		case armed && c == '(':
			begin, depth = j+1, 0
		case begin < 0:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')' && j > begin:
			return begin, j
		case c == ')':
			begin = -1
		}
		armed = c == symbol
	}
	return -1, -1
}

// content returns the file of an @() without its last newline.
func (l *List) content(name string) (string, bool, error) {
	if err := l.mayRead(name, false); err != nil {
		return "", false, err
	}
	text, err := l.world.Read(name)
	if err != nil {
		return "", false, err
	}
	s := string(text)
	if n := len(s); n > 0 && (s[n-1] == '\n' || s[n-1] == '\r') {
		s = s[:n-1]
	}
	s, _, _ = strings.Cut(s, "\x00")
	return s, true, nil
}

// placeholder returns the value of %(key): an option's value or, with spaces, a calculation from
// left to right. In a calculation, words that are no operator are numbers or options, an unknown
// one is empty, and two in a row are joined.
func (l *List) placeholder(key string) (string, bool, error) {
	if !strings.Contains(key, " ") {
		value, known := l.Get(key)
		return value, known, nil
	}
	value, known, operator := "", false, ""
	for _, word := range strings.FieldsFunc(key, func(r rune) bool { return r == ' ' }) {
		switch word {
		case "+", "-", "*", "/":
			operator = word
			continue
		case "++", "--":
			if known {
				n, _ := LeadingInt(value)
				step := int64(1)
				if word == "--" {
					step = -1
				}
				value = strconv.FormatInt(n+step, 10)
			}
			operator = ""
			continue
		}
		operand := word
		if strings.Trim(word, "0123456789") != "" {
			operand, _ = l.Get(word)
		}
		if err := l.spend(len(value) + len(operand)); err != nil {
			return "", false, err
		}
		value, known, operator = apply(operator, value, operand), true, ""
	}
	return value, known, nil
}

func apply(operator, left, right string) string {
	if operator == "" {
		return left + right
	}
	a, _ := LeadingInt(left)
	b, _ := LeadingInt(right)
	switch operator {
	case "+":
		a += b
	case "-":
		a -= b
	case "*":
		a *= b
	case "/":
		if b == 0 {
			return "0"
		}
		a /= b
	}
	return strconv.FormatInt(a, 10)
}

// LeadingInt returns the number at the start of s, as C's strtol reads it; 0 and false for none. A
// number that is too large becomes the largest.
func LeadingInt(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	if end < len(s) && (s[0] == '-' || s[0] == '+') {
		end++
	}
	digits := end
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	if end == digits {
		return 0, false
	}
	n, _ := strconv.ParseInt(s[:end], 10, 64) // out of range gives the nearest
	return n, true
}
