package form

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// describe is what was read, an option on each line.
func describe(f *File, err error) string {
	var b strings.Builder
	for _, o := range f.Options {
		fmt.Fprintf(&b, "%d %s = %q\n", o.Line, o.Key, o.Value)
	}
	if !f.Found && err == nil {
		fmt.Fprintf(&b, "no section, but %q\n", f.Sections)
	}
	for _, n := range f.Notes {
		fmt.Fprintf(&b, "note %d: %s\n", n.Line, n.Text)
	}
	if err != nil {
		line := 0
		if own, ok := errors.AsType[*Error](err); ok {
			line = own.Line
		}
		fmt.Fprintf(&b, "error %d: %v\n", line, err)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	bareMaster := "note 2: master has no value, and uWSGI leaves such a key out, or all that follows it: write master: true\n"
	for _, tt := range []struct {
		name    string
		kind    Kind
		section string
		give    string
		want    string
	}{
		{
			"yaml_texts_stay_as_written", YAML, "uwsgi",
			"uwsgi:\n  master: yes\n  umask: 0027\n  socket: :5000\n  uid: \"48\"\n  http: '[::]:80'\n  harakiri: 1_0\n  x: ~\n",
			"2 master = \"yes\"\n3 umask = \"0027\"\n4 socket = \":5000\"\n5 uid = \"48\"\n6 http = \"[::]:80\"\n7 harakiri = \"1_0\"\n8 x = \"~\"\n",
		},
		{"yaml_duplicates_are_all_kept", YAML, "uwsgi", "uwsgi:\n  socket: a\n  stats: b\n  socket: c\n", "2 socket = \"a\"\n3 stats = \"b\"\n4 socket = \"c\"\n"},
		{
			"yaml_list_repeats_its_key", YAML, "uwsgi", "uwsgi:\n  env:\n    - A=1\n    - B=2\n  touch-reload: [x, y]\n  env: C=3\n",
			"3 env = \"A=1\"\n4 env = \"B=2\"\n5 touch-reload = \"x\"\n5 touch-reload = \"y\"\n6 env = \"C=3\"\n",
		},
		{"yaml_list_at_the_level_of_its_key", YAML, "uwsgi", "uwsgi:\n  env:\n  - A=1\n  master: 1\n", "3 env = \"A=1\"\n4 master = \"1\"\n"},
		{"yaml_list_of_one_key_mappings", YAML, "uwsgi", "uwsgi:\n  - master: 1\n", "error 2: the block holds no options: write each as key: value\n"},
		{"yaml_key_without_value", YAML, "uwsgi", "uwsgi:\n  master:\n  http: :80\n", "2 master = \"\"\n3 http = \":80\"\n" + bareMaster},
		{"yaml_nested_block_adds_its_keys", YAML, "uwsgi", "uwsgi:\n  more:\n    master: 1\n  http: :80\n", "3 master = \"1\"\n4 http = \":80\"\n"},
		{"yaml_flow", YAML, "uwsgi", "{uwsgi: {master: true, http: ':80'}}", "1 master = \"true\"\n1 http = \":80\"\n"},
		{"yaml_other_section", YAML, "prod", "uwsgi:\n  master: 1\nprod:\n  master: 0\n", "4 master = \"0\"\n"},
		{"yaml_no_section", YAML, "uwsgi", "prod:\n  master: 0\ntest:\n  a: 1\n", "no section, but [\"prod\" \"test\"]\n"},
		{"yaml_empty", YAML, "uwsgi", "# nothing\n", "no section, but []\n"},
		{"yaml_empty_section", YAML, "uwsgi", "uwsgi:\n", ""},
		{"yaml_second_document", YAML, "uwsgi", "a: 1\n---\nuwsgi:\n  master: 1\n", "4 master = \"1\"\n"},
		{"yaml_two_blocks", YAML, "uwsgi", "uwsgi:\n  master: 1\nuwsgi:\n  http: :80\n", "2 master = \"1\"\nnote 3: a further block uwsgi: is not read, as in uWSGI: put its options into the first\n"},
		{"yaml_comments", YAML, "uwsgi", "uwsgi: # here\n  # no\n  master: 1 # yes\n  module: a#b\n", "3 master = \"1\"\n4 module = \"a#b\"\n"},
		{
			"yaml_anchor_and_merge", YAML, "uwsgi", "base: &b\n  master: 1\n  threads: 2\nuwsgi:\n  threads: 4\n  <<: *b\n  http: &a :80\n  stats: *a\n",
			"5 threads = \"4\"\n2 master = \"1\"\n7 http = \":80\"\n8 stats = \":80\"\n",
		},
		{"yaml_folded", YAML, "uwsgi", "uwsgi:\n  log-format: >\n    a\n    b\n  x: |\n    c\n", "2 log-format = \"a b\"\n5 x = \"c\"\n"},
		{"yaml_bom_and_crlf", YAML, "uwsgi", "\ufeffuwsgi:\r\n  master: 1\r\n", "2 master = \"1\"\n"},
		{
			"yaml_that_is_none", YAML, "uwsgi", "uwsgi:\n    log-format: %(addr) - \"%(uri)\" # x\n    env: @(file)\n    cron: 0 0 -1 -1 -1 echo a: b\n    x: \"4\"\n\n  # comment\n    y: 1\nother:\n    z: 1\n",
			"2 log-format = \"%(addr) - \\\"%(uri)\\\"\"\n3 env = \"@(file)\"\n4 cron = \"0 0 -1 -1 -1 echo a: b\"\n5 x = \"4\"\n8 y = \"1\"\nnote 0: it is no YAML, and so is read line by line, as uWSGI without libyaml reads it: line 2: found character that cannot start any token; put the value into quotes\n",
		},
		{"yaml_that_is_none_at_all", YAML, "uwsgi", "uwsgi: [\n", "error 1: line 1: did not find expected node content\n"},
		{"yaml_tabs", YAML, "uwsgi", "uwsgi:\n\tmaster: 1\n\tvacuum:\n", "2 master = \"1\"\n3 vacuum = \"\"\nnote 3: vacuum has no value, and uWSGI leaves such a key out, or all that follows it: write vacuum: true\nnote 0: it is no YAML, and so is read line by line, as uWSGI without libyaml reads it: line 2: found character that cannot start any token; put the value into quotes\n"},

		{
			"json_values", JSON, "uwsgi", "{\"uwsgi\": {\n\"http\": \":80\",\n\"master\": true, \"lazy\": false,\n\"x\": null, \"threads\": 4, \"f\": 0.5, \"g\": 30.0,\n\"env\": [\"A=1\",\n\"B=2\", 3, true]}}",
			"2 http = \":80\"\n3 master = \"1\"\n3 lazy = \"0\"\n4 x = \"0\"\n4 threads = \"4\"\n4 f = \"0.5\"\n4 g = \"30\"\n5 env = \"A=1\"\n6 env = \"B=2\"\n6 env = \"3\"\n6 env = \"1\"\n",
		},
		{
			"json_duplicate", JSON, "uwsgi", "{\"uwsgi\": {\"a\": 1,\n\"b\": 2,\n\"a\": 3}}",
			"3 a = \"3\"\n2 b = \"2\"\nnote 3: a is there twice, and as in uWSGI the last value counts alone: write a list [ … ] for several\n",
		},
		{
			"json_object_in_it", JSON, "uwsgi", "{\"uwsgi\": {\"a\": {\"b\": 1}, \"c\": [[1], 2]}}",
			"1 c = \"2\"\nnote 1: a: an object or a list in here is left out, as in uWSGI\nnote 1: c: an object or a list in here is left out, as in uWSGI\n",
		},
		{"json_section", JSON, "prod", "{\"uwsgi\": {\"a\": 1}, \"prod\": {\"b\": 1}}", "1 b = \"1\"\n"},
		{"json_no_section", JSON, "uwsgi", "{\"prod\": {}}", "error 0: there is no object \"uwsgi\": write {\"uwsgi\": {…}}\n"},
		{"json_section_is_no_object", JSON, "uwsgi", "{\n\"uwsgi\": [1]}", "error 2: \"uwsgi\" is no object: write {\"uwsgi\": {…}}\n"},
		{"json_list", JSON, "uwsgi", "[]", "error 1: it is no object: write {\"uwsgi\": {…}}\n"},
		{"json_comma", JSON, "uwsgi", "{\"uwsgi\": {\n\"a\": 1,\n}}", "error 3: invalid character '}' looking for beginning of object key string\n"},
		{"json_cut", JSON, "uwsgi", "{\"uwsgi\": {\n\"a\": 1", "error 2: unexpected end of JSON input\n"},
		{"json_more", JSON, "uwsgi", "{\"uwsgi\": {}}\n{}", "error 2: invalid character '{' after top-level value\n"},
		{"json_empty", JSON, "uwsgi", "", "error 1: unexpected end of JSON input\n"},

		{
			"xml_values", XML, "uwsgi", "<uwsgi>\n  <master/>\n  <http>:80</http>\n  <env>A=1</env><env>B=a&amp;b</env>\n  <x></x><y> 4 </y>\n</uwsgi>\n",
			"2 master = \"1\"\n3 http = \":80\"\n4 env = \"A=1\"\n4 env = \"B=a&b\"\n5 x = \"1\"\n5 y = \" 4 \"\n",
		},
		{"xml_below_another_root", XML, "uwsgi", "<?xml version=\"1.0\"?>\n<config><other><uwsgi><no/></uwsgi></other><uwsgi><master/></uwsgi></config>", "2 master = \"1\"\n"},
		{"xml_id", XML, "prod", "<c><uwsgi id=\"test\"><a/></uwsgi><uwsgi id=\"prod\"><b/></uwsgi></c>", "1 b = \"1\"\n"},
		{"xml_id_of_options", XML, "prod", "<uwsgi><a id=\"test\"/><a id=\"prod\">2</a><b/></uwsgi>", "1 a = \"2\"\n1 b = \"1\"\n"},
		{"xml_no_id_asked_for", XML, "uwsgi", "<uwsgi id=\"x\"><a id=\"test\">1</a><a>2</a></uwsgi>", "1 a = \"1\"\n1 a = \"2\"\n"},
		{"xml_app", XML, "uwsgi", "<uwsgi><app mountpoint=\"/a\">\n<script>a.py</script></app><app mountpoint=\"/b\">b.py</app><app/></uwsgi>", "1 mount = \"/a=a.py\"\n2 mount = \"/b=b.py\"\n"},
		{"xml_code", XML, "uwsgi", "<uwsgi>\n<![CDATA[a < b]]>\n<python><![CDATA[c]]></python></uwsgi>", "2 eval = \"a < b\"\n3 python = \"c\"\n"},
		{"xml_comment", XML, "uwsgi", "<uwsgi><!-- <a/> --><b>1<!-- x --></b></uwsgi>", "1 b = \"1\"\n"},
		{"xml_no_uwsgi", XML, "uwsgi", "<config/>", "error 0: there is no element <uwsgi>\n"},
		{"xml_no_such_id", XML, "prod", "<c><uwsgi id=\"test\"/></c>", "error 0: there is no element <uwsgi id=\"prod\">\n"},
		{"xml_element_in_an_option", XML, "uwsgi", "<uwsgi>\n<a><b/></a></uwsgi>", "error 2: <a> holds elements, and no option does but <app>\n"},
		{"xml_cut", XML, "uwsgi", "<uwsgi>\n<a>", "error 2: unexpected EOF\n"},
		{"xml_wrong_end", XML, "uwsgi", "<uwsgi>\n<a></b></uwsgi>", "error 2: element <a> closed by </b>\n"},
		{"xml_latin_1", XML, "uwsgi", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><uwsgi><a>\xe9</a></uwsgi>", "1 a = \"é\"\n"},
		{"xml_other_encoding", XML, "uwsgi", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><uwsgi/>", "error 1: xml: opening charset \"UTF-16\": the encoding \"UTF-16\" is not read: save the file as UTF-8\n"},

		{
			"toml_values", TOML, "uwsgi", "[uwsgi]\nhttp = \":80\"\nmaster = true\nlazy = false\nthreads = 1_0\nf = 0.5\nenv = [\n  \"A=1\",\n  \"B=2\"]\n\"a-b\" = 'x'\n",
			"2 http = \":80\"\n3 master = \"1\"\n4 lazy = \"0\"\n5 threads = \"10\"\n6 f = \"0.5\"\n7 env = \"A=1\"\n7 env = \"B=2\"\n10 a-b = \"x\"\n",
		},
		{"toml_section", TOML, "tool.uwsgi", "[project]\nname = 1\n[tool.uwsgi]\nmaster = true\n", "4 master = \"1\"\n"},
		{"toml_no_section", TOML, "uwsgi", "[project]\nname = 1\n", "no section, but [\"project\"]\n"},
		{"toml_duplicate", TOML, "uwsgi", "[uwsgi]\na = 1\na = 2\n", "error 3: key a is already defined\n"},
		{"toml_table", TOML, "uwsgi", "[uwsgi]\n[uwsgi.env]\nA = 1\n", "error 2: [uwsgi.env]: a table within the options is not read: write the options of it as KEY = [\"NAME=VALUE\", …]\n"},
		{"toml_inline", TOML, "uwsgi", "[uwsgi]\nenv = {A = 1}\n", "error 2: env: a table as the value of an option is not read: write a list of texts\n"},
		{"toml_mistake", TOML, "uwsgi", "[uwsgi]\nhttp = :80\n", "error 2: unexpected character U+003A ':' at start of value\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(tt.kind, []byte(tt.give), tt.section)
			if diff := cmp.Diff(tt.want, describe(f, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestBombs has files whose meaning is far larger than their text.
func TestBombs(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	entities := "<!DOCTYPE u [<!ENTITY a \"xxxxxxxxxx\">"
	for c := 'b'; c < 'm'; c++ {
		entities += fmt.Sprintf("<!ENTITY %c \"%s\">", c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	for _, tt := range []struct {
		name, want string
		kind       Kind
		give       string
	}{
		{"yaml_laughs", "more than 10000 options", YAML, laughs + "uwsgi:\n  env: *a11\n"},
		{"yaml_that_holds_itself", "levels in each other", YAML, "uwsgi: &u\n  a: *u\n"},
		{"yaml_merges_another_that_merges_it", "levels in each other", YAML, "uwsgi: &u\n  a: &v\n    b: *u\n  <<: *v\n"},
		{"yaml_deep", "", YAML, "uwsgi: " + strings.Repeat("[", 100_000)},
		{"xml_laughs", "invalid character entity &l;", XML, entities + "]><uwsgi><env>&l;</env></uwsgi>"},
		{"xml_file", "invalid character entity &f;", XML, "<!DOCTYPE u [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><uwsgi><env>&f;</env></uwsgi>"},
		{"xml_deep", "levels in each other", XML, "<uwsgi>" + strings.Repeat("<app>", 100_000)},
		{"json_deep", "exceeded max depth", JSON, "{\"uwsgi\": " + strings.Repeat("[", 100_000)},
		{"json_long", "more than 10000 options", JSON, "{\"uwsgi\": {\"env\": [1" + strings.Repeat(",1", 20_000) + "]}}"},
		{"toml_deep", "", TOML, "[uwsgi]\na = " + strings.Repeat("[", 100_000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(tt.kind, []byte(tt.give), "uwsgi")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d options, error %v, want %s", len(f.Options), err, tt.want)
			}
		})
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]Kind{"a.yml": YAML, "b.yaml": YAML, "c.json": JSON, "package.js": JSON, "d.xml": XML, "e.toml": TOML} {
		if kind, ok := ByName(name); !ok || kind != want {
			t.Errorf("%s: %s", name, kind)
		}
	}
	for _, name := range []string{"a.ini", "yaml", "a.yml:prod", ""} {
		if kind, ok := ByName(name); ok {
			t.Errorf("%q: %s", name, kind)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("YAML", "uwsgi:\n  a: &x [1, *x]\n  <<: {b: 1}\n  c:\n")
	f.Add("YAML", "uwsgi:\n\ta: %(b)\n\tc:\n-")
	f.Add("JSON", "{\"uwsgi\": {\"a\": [1, null, {}], \"a\": 2.0}}")
	f.Add("XML", "<c><uwsgi id='x'><a/><app mountpoint='/'><b>c</b></app><![CDATA[d]]></uwsgi></c>")
	f.Add("TOML", "[uwsgi]\na = [1, true]\n[[b]]\nc.d = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, kind, text string) {
		if len(text) > 1<<16 {
			return
		}
		file, err := Parse(Kind(kind), []byte(text), "uwsgi")
		if len(file.Options) > maxOptions {
			t.Errorf("%d options", len(file.Options))
		}
		lines := strings.Count(text, "\n") + 1
		for _, o := range file.Options {
			if o.Line < 1 || o.Line > lines {
				t.Errorf("%s is said to stand in line %d of %d", o.Key, o.Line, lines)
			}
		}
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error that says nothing")
		}
	})
}
