package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yaml reads the block of a section: the first mapping of that name at the top of a document.
// Values stay as written, whatever type YAML gives them: yes and 0644 are texts. A key may be
// repeated, and a list repeats its key.
//
// uWSGI's own reader, which most builds have, takes lines apart without knowing YAML. So its files
// need not be YAML: log-format: %(uri) begins with what begins no YAML value. Such a file is read
// line by line here, too.
func (f *File) yaml(text []byte, section string) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			*f = File{}
			return f.yamlLines(string(text), section, err)
		}
		if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
			continue
		}
		top := document.Content[0].Content
		for i := 0; i+1 < len(top); i += 2 {
			key, value := top[i], top[i+1]
			switch {
			case key.Value != section:
				if value.Kind == yaml.MappingNode {
					f.other(key.Value)
				}
			case f.Found:
				f.note(key.Line, "a further block %s: is not read, as in uWSGI: put its options into the first", section)
			default:
				f.Found = true
				if err := f.yamlMapping(value, 0); err != nil {
					return err
				}
			}
		}
		if f.Found {
			return nil
		}
	}
}

// yamlMapping adds the contents of a mapping. A nested one adds its own keys, as in uWSGI with
// libyaml.
func (f *File) yamlMapping(n *yaml.Node, depth int) error {
	n, err := resolved(n, depth)
	if err != nil {
		return err
	}
	if n.Kind != yaml.MappingNode {
		if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
			return nil // the block is empty
		}
		return &Error{n.Line, errors.New("the block holds no options: write each as key: value")}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return &Error{key.Line, errors.New("the name of an option must be a plain word")}
		}
		if key.Tag == "!!merge" {
			if err := f.yamlMerge(value, n, depth+1); err != nil {
				return err
			}
			continue
		}
		if err := f.yamlValue(key, value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// yamlMerge adds the keys of <<: *other that the mapping itself does not have.
func (f *File) yamlMerge(value, into *yaml.Node, depth int) error {
	value, err := resolved(value, depth)
	if err != nil {
		return err
	}
	if value.Kind == yaml.SequenceNode {
		for _, item := range value.Content {
			if err := f.yamlMerge(item, into, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	own := map[string]bool{}
	for i := 0; i+1 < len(into.Content); i += 2 {
		own[into.Content[i].Value] = true
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		if key := value.Content[i]; !own[key.Value] {
			if err := f.yamlValue(key, value.Content[i+1], depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) yamlValue(key, value *yaml.Node, depth int) error {
	line := value.Line
	value, err := resolved(value, depth)
	if err != nil {
		return err
	}
	switch value.Kind {
	case yaml.MappingNode:
		return f.yamlMapping(value, depth)
	case yaml.SequenceNode:
		for _, item := range value.Content {
			if err := f.yamlValue(key, item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if value.Value == "" && value.Tag == "!!null" {
		f.bare(key.Value, key.Line)
		line = key.Line
	}
	return f.add(key.Value, strings.TrimRight(value.Value, "\n"), line)
}

// bare notes a key without a value, which has an empty value here, as in an ini file.
func (f *File) bare(key string, line int) {
	f.note(line, "%s has no value, and uWSGI leaves such a key out, or all that follows it: write %s: true", key, key)
}

// resolved follows an alias. One that contains itself, or is too deep, has no end.
func resolved(n *yaml.Node, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, &Error{n.Line, errTooDeep}
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias, nil
	}
	return n, nil
}

// yamlLines reads as uWSGI does without libyaml: a line that ends in a colon begins a block, deeper
// lines are its options, and # begins a comment anywhere. Values lose their quotes. notYAML is why
// the file is no YAML.
func (f *File) yamlLines(text, section string, notYAML error) error {
	depth, line := 0, 0
	for raw := range strings.Lines(text) {
		line++
		raw, _, _ = strings.Cut(strings.TrimRight(raw, "\r\n"), "#")
		content := strings.TrimLeft(raw, " \t\r")
		if strings.Trim(content, " \t") == "" {
			continue
		}
		indent := 0
		for _, c := range raw[:len(raw)-len(content)] {
			indent++
			if c != ' ' {
				indent += 7
			}
		}
		switch {
		case indent <= depth && f.Found:
			f.notYAML(notYAML)
			return nil // the block ends
		case indent > depth && !f.Found:
			continue
		}
		if !f.Found {
			depth = indent
			name, rest, ok := strings.Cut(content, ":")
			if ok && name == section {
				if strings.Trim(rest, " \t") != "" {
					return at(line, yamlReason(notYAML))
				}
				f.Found = true
			} else if ok {
				f.other(name)
			}
			continue
		}
		at := strings.Index(content, ": ")
		if at < 0 {
			at = strings.Index(content, ":\t")
		}
		content = strings.TrimRight(content, " \t")
		if at < 0 && strings.HasSuffix(content, ":") && !strings.HasPrefix(content, "-") {
			key := strings.TrimSuffix(content, ":")
			f.bare(key, line)
			if err := f.add(key, "", line); err != nil {
				return err
			}
			continue
		}
		if at < 0 || content[0] == '-' || content[0] == '[' || content[0] == '{' {
			return &Error{line, fmt.Errorf("%q is no option such as key: value, and the file is no YAML: %w", content, yamlReason(notYAML))}
		}
		value := strings.TrimLeft(content[min(at+2, len(content)):], " \t")
		if err := f.add(strings.TrimRight(content[:at], " \t"), unquoted(value), line); err != nil {
			return err
		}
	}
	if !f.Found {
		return at(0, yamlReason(notYAML))
	}
	f.notYAML(notYAML)
	return nil
}

func (f *File) notYAML(why error) {
	f.note(0, "it is no YAML, and so is read line by line, as uWSGI without libyaml reads it: %v; put the value into quotes", yamlReason(why))
}

// yamlReason returns the library's error without its name in front.
func yamlReason(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

func unquoted(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}
