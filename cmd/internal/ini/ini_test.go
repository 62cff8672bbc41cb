package ini

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is read into testdata/*.txtar instead of comparing")

// TestDialect reads the files of each testdata/*.txtar as its comment says:
// lines "load ARG" and "env NAME=VALUE". What must come out is its last file.
func TestDialect(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases found: ", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files, env := map[string]string{}, map[string]string{}
			for _, f := range archive.Files {
				// \e and \r cannot be seen in an editor, so they are written out.
				files[f.Name] = strings.NewReplacer(`\r`, "\r", `\t`, "\t", `\0`, "\x00").Replace(string(f.Data))
			}
			var loads []string
			for line := range strings.Lines(string(archive.Comment)) {
				line = strings.TrimSpace(line)
				if arg, ok := strings.CutPrefix(line, "load "); ok {
					loads = append(loads, arg)
				}
				if variable, ok := strings.CutPrefix(line, "env "); ok {
					name, value, _ := strings.Cut(variable, "=")
					env[name] = value
				}
			}
			list := New(memory(files, env), options)
			for _, arg := range loads {
				if err = list.Load(arg, Origin{}); err != nil {
					break
				}
			}
			if err == nil {
				err = list.Expand()
			}
			got := describe(list, err)
			last := &archive.Files[len(archive.Files)-1]
			if *update {
				last.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(last.Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name, give, want string
	}{
		{"missing_file", "include = none.ini", `app.ini:2: include: cannot read "none.ini": file does not exist`},
		{"no_ini", "include = app.conf", "app.ini:2: include: unable to load configuration from app.conf: the name of a configuration file ends in .ini, .yaml"},
		{"missing_yaml", "yaml = app.yaml", `app.ini:2: yaml: cannot read "app.yaml": file does not exist`},
		{"data", "ini = data://0", `app.ini:2: ini: "data://0": nothing is appended to this binary`},
		{"sym", "env = A=@(sym://x)", `app.ini:2: env: "sym://x": uWSGI's binary has such symbols`},
		{"call", "include = call://f.ini", "there are no functions of C to call"},
		{"remote", "include = http://127.0.0.1:1/app.ini", "give allow-remote-config = true before"},
		{"remote_switched_off", "allow-remote-config = false\ninclude = https://127.0.0.1:1/app.yml", "give allow-remote-config = true before"},
		{"remote_value", "env = A=@(http://127.0.0.1:1/)", "give allow-remote-config = true before"},
		{"command_for_options", "ini = exec://./gen", `app.ini:2: ini: "exec://./gen" would run a command`},
		{"loop_of_includes", "include = app.ini", "app.ini: files include each other more than 32 deep"},
		{"loop_of_sections", "ini = :uwsgi", ":uwsgi: files include each other more than 32 deep"},
		{"nested_if", "if-env = A\nif-env = B", "app.ini:3: if-env: an if or for cannot be inside if-env: end that first"},
		{"else_alone", "else =", "app.ini:2: else: there is no if that it could belong to"},
		{"set_without_value", "set = x", `app.ini:2: set: "x" is not of the form NAME=VALUE`},
		{"placeholder_of_an_option", "set-ph = threads=2", "app.ini:2: set-ph: threads is an option, so it cannot be a placeholder: choose another name"},
		{"strict", "strict = 1\nproceses = 4", `app.ini:3: proceses: [strict-mode] unknown config directive: proceses; did you mean "processes"?`},
		{"strict_and_a_placeholder_by_set", "strict =\nset = base=/srv", "app.ini:3: base: [strict-mode] unknown config directive: base"},
		{"too_often", "for-times = 100000\nenv = A=1", "app.ini:3: for-times: more than 10000 times"},
		{"too_many_options", "for-times = 6000\nenv = A=1\nenv = B=1", "app.ini:4: env: more than 10000 options"},
		{"placeholder_of_itself", "a = x%(a)", "app.ini:2: a: expansion does not end"},
		{"placeholder_that_doubles", "a = %(a a a a)", "app.ini:2: a: expansion does not end"},
		{"option_of_its_own", "declare-option = a=a=$1\na = 1", "app.ini:3: a: more than 10000 options"},
		{"option_of_its_own_that_doubles", "declare-option = a=a=$1$1\na = 1", "app.ini:3: a: expansion does not end"},
		{"declared_without_template", "declare-option = a", `app.ini:2: declare-option: "a" is not of the form NAME=TEMPLATE`},
		{"placeholders_of_each_other", "a = x%(b)\nb = y%(a)", "app.ini:2: a: expansion does not end"},
		{"missing_content", "env = A=@(none)", `app.ini:2: env: cannot open "none": file does not exist`},
		{"bad_expression", "if-hostname-match = (\nenv = A=1", "app.ini:3: if-hostname-match: error parsing regexp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := New(memory(map[string]string{"app.ini": "[uwsgi]\n" + tt.give + "\n"}, map[string]string{"A": "1"}), options)
			err := list.Load("app.ini", Origin{})
			if err == nil {
				err = list.Expand()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestSectionOfNoFile(t *testing.T) {
	err := New(memory(nil, nil), options).Load(":prod", Origin{})
	if err == nil || !strings.Contains(err.Error(), "no file has been read") {
		t.Errorf("got %v", err)
	}
}

func TestInheritIsNotExpanded(t *testing.T) {
	list := New(memory(map[string]string{
		"app.ini":  "[uwsgi]\nbase = /srv\ninherit = base.ini\n",
		"base.ini": "[uwsgi]\nchdir = x/%(base)\nmaster = 1\n",
	}, nil), options)
	if err := list.Load("app.ini", Origin{}); err != nil {
		t.Fatal(err)
	}
	if err := list.Expand(); err != nil {
		t.Fatal(err)
	}
	if err := list.Inherit(list.Entries[1]); err != nil {
		t.Fatal(err)
	}
	want := `base = "/srv"
inherit = "base.ini"
chdir = "x/%(base)"
master = "1"
warning: base.ini:2: chdir: "x/%(base)" is taken as it is: inherit fills in no placeholders, include does
`
	if diff := cmp.Diff(want, describe(list, nil)); diff != "" {
		t.Error(diff)
	}
}

func TestLoadNamed(t *testing.T) {
	w := memory(map[string]string{"app.ini": "[uwsgi]\nchdir = %D\n"}, nil)
	list := New(w, options)
	if err := list.LoadNamed("app.ini"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("chdir = \"/srv/shop/\"\n", describe(list, nil)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"app.json", "app.yml", "app.toml", "app.xml"} { // there are none
		if err := list.LoadNamed(name); err == nil || !strings.Contains(err.Error(), "cannot read") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestOS reads through the real machine: a link, a file of /proc's kind, a
// command and standard input.
func TestOS(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("SHOP_PORT", "8000")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("real.ini", "[uwsgi]\nhttp = :$(SHOP_PORT)\nenv = NAME=%n\nenv = TOKEN=@(token)\nenv = SAID=@(exec://echo hello)\nfor-glob = *.ini\ntouch-reload = %(_)\nendfor =\n")
	write("token", "secret\n")
	write(".hidden.ini", "")
	if err := os.Symlink("real.ini", "link.ini"); err != nil {
		t.Fatal(err)
	}
	list := New(OS(strings.NewReader("[uwsgi]\nthreads = 2")), options)
	for _, arg := range []string{"link.ini", "-"} {
		if err := list.Load(arg, Origin{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.Expand(); err != nil {
		t.Fatal(err)
	}
	want := `http = ":8000"
env = "NAME=link"
env = "TOKEN=secret"
env = "SAID=hello"
for-glob = "*.ini"
touch-reload = "link.ini"
touch-reload = "real.ini"
endfor = ""
threads = "2"
`
	if diff := cmp.Diff(want, describe(list, nil)); diff != "" {
		t.Error(diff)
	}
}

func TestReadIsBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.ini")
	if err := os.WriteFile(name, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	w := OS(nil)
	if _, err := w.Read(name); err == nil {
		t.Error("a file of more than the limit was read")
	}
	if _, err := w.Read("exec://yes"); err == nil {
		t.Error("a command that prints without end was read")
	}
	for _, bad := range []string{"http://127.0.0.1:1/app.ini", "fd://x", "fd://-1", "fd://999", "data://0"} {
		if _, err := w.Read(bad); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestLeadingInt(t *testing.T) {
	for _, tt := range []struct {
		give string
		want int64
		ok   bool
	}{
		{"4", 4, true},
		{"  4 ; workers", 4, true},
		{"-3x", -3, true},
		{"+7", 7, true},
		{"0x10", 0, true},
		{"99999999999999999999", 1<<63 - 1, true},
		{"four", 0, false},
		{"-", 0, false},
		{"", 0, false},
	} {
		if n, ok := LeadingInt(tt.give); n != tt.want || ok != tt.ok {
			t.Errorf("LeadingInt(%q) = %d, %t, want %d, %t", tt.give, n, ok, tt.want, tt.ok)
		}
	}
}

func TestBool(t *testing.T) {
	for _, give := range []string{"false", "off", "no", "0", "FALSE", "Off"} {
		if Bool(give) {
			t.Errorf("%q is true", give)
		}
	}
	for _, give := range []string{"", "true", "1", "false ; x", "00", "n", "none"} {
		if !Bool(give) {
			t.Errorf("%q is false", give)
		}
	}
}

func FuzzIni(f *testing.F) {
	cases, _ := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	for _, file := range cases {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Add([]byte("[uwsgi]\na = x%(a)\nb = y%(b b * 3)"))
	f.Add([]byte("[uwsgi]\nfor-times = 9\nini = app.ini"))
	f.Add([]byte("[uwsgi]\nfor-times = 9\ninclude = app.ini\nini = :%x"))
	f.Add([]byte("[uwsgi]\nenv = @(app.ini)$(APP)@(app.ini)"))
	f.Add([]byte("[uwsgi]\nb = %(b b 0)"))
	f.Add([]byte("[uwsgi]\ndeclare-option = a=a=$1$1;b=$2\na = x y"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list := New(memory(map[string]string{"app.ini": string(text), "-": string(text)}, map[string]string{"APP": "@(app.ini)%(_)"}), options)
		err := list.Load("app.ini", Origin{})
		if err == nil {
			err = list.Expand()
		}
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error that says nothing")
		}
		if len(list.Entries) > maxEntries {
			t.Errorf("%d entries", len(list.Entries))
		}
		if list.work > maxWork {
			t.Errorf("%d bytes were written", list.work)
		}
	})
}

// large is an ini file of 500 lines of the usual kinds.
func large() map[string]string {
	var b strings.Builder
	b.WriteString("[uwsgi]\nbase = /srv/%n\n")
	for i := range 100 {
		fmt.Fprintf(&b, "name%d = %%(base)/%d\nenv = VAR%d=%%(name%d)/$(HOME)\n; comment\nstatic-map = /s%d=%%(base)/s\ntouch-reload = %%d%d\n", i, i, i, i, i, i)
	}
	return map[string]string{"app.ini": b.String()}
}

// BenchmarkLarge reads and expands a file of 500 lines, as each start does.
func BenchmarkLarge(b *testing.B) {
	w := memory(large(), map[string]string{"HOME": "/home/ann"})
	for b.Loop() {
		list := New(w, options)
		if err := list.Load("app.ini", Origin{}); err != nil {
			b.Fatal(err)
		}
		if err := list.Expand(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLargeFileCostsLittle has a bound that only a mistake in kind passes: what takes
// milliseconds must not grow with the square of the lines.
func TestLargeFileCostsLittle(t *testing.T) {
	begun := time.Now()
	list := New(memory(large(), nil), options)
	if err := list.Load("app.ini", Origin{}); err != nil {
		t.Fatal(err)
	}
	if err := list.Expand(); err != nil {
		t.Fatal(err)
	}
	if len(list.Entries) < 400 || time.Since(begun) > 20*time.Second {
		t.Errorf("%d options after %v", len(list.Entries), time.Since(begun))
	}
}

// TestExpansionStops: whatever values refer to, expansion ends, and an error names the line.
func TestExpansionStops(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"%(a)", "%(b)", "%(c)", "$(APP)", "@(f)", "%(a b + 2)", "%(%(a))", "$(", "@(", "%(", ")", "x", "%%", "%d", "%(_)", " ", "++", "(("}
	value := func() string {
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 60 {
		text := fmt.Sprintf("[uwsgi]\na = %s\nb = %s\nfor = %s x\nc = %s\nendfor =\nlisten = %s\n", value(), value(), value(), value(), value())
		list := New(memory(map[string]string{"app.ini": text, "f": value()}, map[string]string{"APP": value()}), options)
		err := list.Load("app.ini", Origin{})
		if err == nil {
			err = list.Expand()
		}
		for i := 0; err == nil && i < len(list.Entries); i++ {
			_, err = list.Filled(list.Entries[i])
		}
		if err != nil && !strings.HasPrefix(err.Error(), "app.ini:") {
			t.Errorf("%q: %v", text, err)
		}
		if list.work > maxWork {
			t.Errorf("%q: %d bytes were written", text, list.work)
		}
	}
}
