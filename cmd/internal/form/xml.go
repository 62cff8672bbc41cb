package form

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// xml reads the element <uwsgi>: the root itself, or the first one below it. An element is an
// option and its text the value, blanks included; an empty one is 1. If an id is asked for,
// elements with another id are left out. A CDATA section between the options is eval. Only XML's
// own entities are expanded.
func (f *File) xml(text []byte, section string) error {
	d := &xmlReader{Decoder: xml.NewDecoder(bytes.NewReader(text)), text: text, file: f}
	d.CharsetReader = charset
	if section == "uwsgi" {
		section = "" // no section is asked for
	}
	err := d.find(section)
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return at(syntax.Line, errors.New(syntax.Msg))
	case errors.Is(err, io.EOF):
		err = errors.New("there is no element <uwsgi>")
		if section != "" {
			err = fmt.Errorf("there is no element <uwsgi id=\"%s\">", section)
		}
		return at(0, err)
	}
	return at(d.line(), err)
}

// charset decodes what is not UTF-8.
func charset(label string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "us-ascii", "ascii":
		return input, nil
	case "iso-8859-1", "latin1", "latin-1":
		text, err := io.ReadAll(input)
		runes := make([]rune, len(text))
		for i, c := range text {
			runes[i] = rune(c)
		}
		return strings.NewReader(string(runes)), err
	}
	return nil, fmt.Errorf("the encoding %q is not read: save the file as UTF-8", label)
}

type xmlReader struct {
	*xml.Decoder
	text []byte
	file *File
}

func (d *xmlReader) line() int {
	line, _ := d.InputPos()
	return line
}

// find goes to the element of the section and reads it.
func (d *xmlReader) find(section string) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			id, has := attribute(t, "id")
			switch {
			case t.Name.Local == "uwsgi" && (depth == 1 || depth == 2 && (!has || section == "" || id == section)):
				d.file.Found = true
				return d.options(section)
			case depth == 1:
			default:
				if t.Name.Local == "uwsgi" && has {
					d.file.other(id)
				}
				depth--
				if err := d.Skip(); err != nil {
					return err
				}
			}
		case xml.EndElement:
			depth--
		}
	}
}

func attribute(e xml.StartElement, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// options reads the children of the section's element.
func (d *xmlReader) options(section string) error {
	for {
		begin, line := d.InputOffset(), d.line()
		t, err := d.Token()
		if err != nil {
			return ended(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.CharData:
			if bytes.HasPrefix(d.text[min(int(begin), len(d.text)):], []byte("<![CDATA[")) && len(t) > 0 {
				if err := d.file.add("eval", string(t), line); err != nil {
					return err
				}
			}
		case xml.StartElement:
			if id, has := attribute(t, "id"); has && section != "" && id != section {
				if err := d.Skip(); err != nil {
					return ended(err)
				}
				continue
			}
			if err := d.option(t, d.line()); err != nil {
				return err
			}
		}
	}
}

// option reads one option. <app mountpoint="/x">app.py</app> is mount = /x=app.py. The app may also
// be in an element of its own.
func (d *xmlReader) option(e xml.StartElement, line int) error {
	value, inner, empty, err := d.content()
	if err != nil {
		return err
	}
	key := e.Name.Local
	if key != "app" {
		switch {
		case inner != nil:
			return &Error{line, fmt.Errorf("<%s> holds elements, and no option does but <app>", key)}
		case empty:
			value = "1"
		}
		return d.file.add(key, value, line)
	}
	if inner != nil {
		value = *inner
	}
	if value == "" {
		return nil
	}
	if at, ok := attribute(e, "mountpoint"); ok {
		value = at + "=" + value
	} else if domain, ok := attribute(e, "domain"); ok {
		value = domain + "|=" + value
	}
	return d.file.add("mount", value, line)
}

// content reads to the end of an element: its own text, and that of its first element.
func (d *xmlReader) content() (text string, inner *string, empty bool, err error) {
	var own, child strings.Builder
	children := 0
	empty = true
	for depth := 1; ; {
		t, err := d.Token()
		if err != nil {
			return "", nil, false, ended(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 1 {
				children++
			}
			if depth++; depth > maxDepth {
				return "", nil, false, errTooDeep
			}
		case xml.EndElement:
			if depth--; depth > 0 {
				continue
			}
			if children > 0 {
				first := child.String()
				inner = &first
			}
			return own.String(), inner, empty, nil
		case xml.CharData:
			empty = false
			if depth == 1 {
				own.Write(t)
			} else if children == 1 {
				child.Write(t)
			}
		}
	}
}

// ended explains a text that ends within an element.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it ends in the middle")
	}
	return err
}
