package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// json reads the object of a section. A list repeats its key, true is 1, false and null are 0, and
// nested objects are left out. As in uWSGI with jansson, the last value of a repeated key counts,
// in the place of the first.
func (f *File) json(text []byte, section string) error {
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		line := 0
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = lineOf(text, syntax.Offset-1)
		}
		return at(line, err)
	}
	d := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(text)), text: text, file: f}
	d.UseNumber()
	if err := d.top(section); err != nil {
		return at(d.line(), err)
	}
	if !f.Found {
		return at(0, fmt.Errorf("there is no object %q: write {\"%s\": {…}}", section, section))
	}
	return nil
}

type jsonReader struct {
	*json.Decoder
	text []byte
	file *File
}

func (d *jsonReader) line() int { return lineOf(d.text, d.InputOffset()) }

// value takes the next value as it is written.
func (d *jsonReader) value() (json.RawMessage, int, error) {
	var raw json.RawMessage
	err := d.Decode(&raw)
	return raw, d.line() - bytes.Count(raw, []byte("\n")), err
}

// key takes the next key of an object.
func (d *jsonReader) key() (string, error) {
	t, err := d.Token()
	name, _ := t.(string)
	return name, err
}

// open takes the beginning of an object or a list.
func (d *jsonReader) open(want json.Delim, what string) error {
	t, err := d.Token()
	if err == nil && t != want {
		err = errors.New(what)
	}
	return err
}

func (d *jsonReader) top(section string) error {
	if err := d.open('{', "it is no object: write {\"uwsgi\": {…}}"); err != nil {
		return err
	}
	var found json.RawMessage
	first := 0
	for d.More() {
		name, err := d.key()
		if err != nil {
			return err
		}
		raw, line, err := d.value()
		if err != nil {
			return err
		}
		isObject := len(raw) > 0 && raw[0] == '{'
		switch {
		case name == section && isObject:
			found, first = raw, line
		case name == section:
			return &Error{line, fmt.Errorf("%q is no object: write {\"%s\": {…}}", section, section)}
		case isObject:
			d.file.other(name)
		}
	}
	if found == nil {
		return nil
	}
	d.file.Found = true
	inner := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(found)), text: found, file: d.file}
	inner.UseNumber()
	return inner.options(first)
}

// options reads the object of the section, whose text begins at line first.
func (d *jsonReader) options(first int) error {
	type member struct {
		key  string
		raw  json.RawMessage
		line int
	}
	var members []*member
	index := map[string]*member{}
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.key()
		if err != nil {
			return err
		}
		raw, line, err := d.value()
		if err != nil {
			return err
		}
		line += first - 1
		if m := index[key]; m != nil {
			d.file.note(line, "%s is there twice, and as in uWSGI the last value counts alone: write a list [ … ] for several", key)
			m.raw, m.line = raw, line
			continue
		}
		m := &member{key, raw, line}
		index[key] = m
		members = append(members, m)
	}
	for _, m := range members {
		if err := d.file.jsonMember(m.key, m.raw, m.line); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) jsonMember(key string, raw json.RawMessage, line int) error {
	if raw[0] != '[' {
		return f.jsonScalar(key, raw, line)
	}
	items := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(raw)), text: raw, file: f}
	if _, err := items.Token(); err != nil {
		return err
	}
	for items.More() {
		item, itemLine, err := items.value()
		if err != nil {
			return err
		}
		if err := f.jsonScalar(key, item, line+itemLine-1); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) jsonScalar(key string, raw json.RawMessage, line int) error {
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return &Error{line, err}
		}
		return f.add(key, s, line)
	case 't':
		return f.add(key, "1", line)
	case 'f', 'n':
		return f.add(key, "0", line)
	case '{', '[':
		f.note(line, "%s: an object or a list in here is left out, as in uWSGI", key)
		return nil
	}
	number := string(raw)
	if whole, part, _ := strings.Cut(number, "."); strings.Trim(part, "0") == "" {
		number = whole
	}
	return f.add(key, number, line)
}
