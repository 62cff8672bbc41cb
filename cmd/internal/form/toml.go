package form

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// toml reads the table of a section. uWSGI knows no TOML, so this reads it like JSON: an array
// repeats its key, true is 1 and false is 0.
func (f *File) toml(text []byte, section string) error {
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil { // repeated tables and the like
		if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ := decode.Position()
			return at(line, errors.New(strings.TrimPrefix(decode.Error(), "toml: ")))
		}
		return at(0, err)
	}
	p := unstable.Parser{}
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = tomlKey(e)
			switch {
			case table == section:
				f.Found = true
			case strings.HasPrefix(table, section+"."):
				return &Error{tomlLine(&p, text, e), fmt.Errorf("[%s]: a table within the options is not read: write the options of it as KEY = [\"NAME=VALUE\", …]", table)}
			default:
				f.other(table)
			}
		case unstable.KeyValue:
			if table == section {
				if err := f.tomlValue(tomlKey(e), e.Value(), tomlLine(&p, text, e)); err != nil {
					return err
				}
			}
		}
	}
	return at(0, p.Error())
}

// tomlKey returns the dotted name of a table or a key.
func tomlKey(e *unstable.Node) string {
	var parts []string
	for it := e.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, ".")
}

// tomlLine returns the line of an expression's key.
func tomlLine(p *unstable.Parser, text []byte, e *unstable.Node) int {
	it := e.Key()
	if !it.Next() {
		return 0
	}
	return lineOf(text, int64(p.Range(it.Node().Data).Offset))
}

func (f *File) tomlValue(key string, v *unstable.Node, line int) error {
	switch v.Kind {
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.Array {
				return &Error{line, fmt.Errorf("%s: a list in a list is not read", key)}
			}
			if err := f.tomlValue(key, it.Node(), line); err != nil {
				return err
			}
		}
		return nil
	case unstable.InlineTable:
		return &Error{line, fmt.Errorf("%s: a table as the value of an option is not read: write a list of texts", key)}
	case unstable.Bool:
		if string(v.Data) == "true" {
			return f.add(key, "1", line)
		}
		return f.add(key, "0", line)
	case unstable.Integer:
		return f.add(key, strings.ReplaceAll(string(v.Data), "_", ""), line)
	}
	return f.add(key, string(v.Data), line)
}
