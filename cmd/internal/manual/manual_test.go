package manual

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
)

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIP: no %s", name)
	}
	return path
}

// script writes completions into a folder of the test and returns their path.
func script(t *testing.T, name string, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask runs a shell in a folder with some files, and returns the words that it offers.
func ask(t *testing.T, path string, args ...string) []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"app.ini", "shop.py", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "static"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "TERM=dumb")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if said.Len() > 0 {
		t.Errorf("the shell says %s", said.String())
	}
	return strings.Fields(string(out))
}

// offers is what each shell has to offer behind some words.
var offers = []struct {
	name, line string
	want, not  []string
}{
	{"options", "uwsgo --thr", []string{"--threads"}, []string{"--processes"}},
	{"files", "uwsgo --pidfile ", []string{"notes.txt", "app.ini"}, nil},
	{"folders", "uwsgo --chdir ", []string{"static"}, []string{"notes.txt"}},
	{"users", "uwsgo --uid roo", []string{"root"}, nil},
	{"apps", "uwsgo ", []string{"app.ini", "shop.py"}, []string{"notes.txt"}},
	{"commands", "uwsgo ", []string{"check", "config"}, nil},
	{"commands_begun", "uwsgo ch", []string{"check"}, []string{"config"}},
	{"commands_are_first", "uwsgo app.ini ", nil, []string{"check"}},
	{"command_is_no_value", "uwsgo --threads ", nil, []string{"check"}},
	{"files_of_a_command", "uwsgo check ", []string{"app.ini"}, []string{"check"}},
	{"flags_of_a_command", "uwsgo check --", []string{"--strict", "--format", "--no-import", "--import-timeout", "--file-alone", "--threads"}, nil},
	{"flags_of_a_command_alone", "uwsgo --", []string{"--threads"}, []string{"--no-import", "--file-alone"}},
	{"values_of_a_flag", "uwsgo check --format ", []string{"text", "json", "sarif"}, []string{"app.ini"}},
	{"files_behind_a_flag", "uwsgo config --json ", []string{"app.ini"}, nil},
	{"flags_of_another_command", "uwsgo config --", []string{"--json"}, []string{"--file-alone"}},
	{"value", "uwsgo --threads ", nil, []string{"app.ini", "shop.py"}},
}

func check(t *testing.T, got, want, not []string) {
	t.Helper()
	trimmed := make([]string, 0, len(got))
	for _, word := range got {
		trimmed = append(trimmed, strings.TrimSuffix(word, "/"))
	}
	for _, word := range want {
		if !slices.Contains(trimmed, word) {
			t.Errorf("%q is not offered: %q", word, got)
		}
	}
	for _, word := range not {
		if slices.Contains(trimmed, word) {
			t.Errorf("%q is offered: %q", word, got)
		}
	}
}

func TestBash(t *testing.T) {
	bash := tool(t, "bash")
	path := script(t, "uwsgo", Bash)
	for _, tt := range offers {
		t.Run(tt.name, func(t *testing.T) {
			const complete = `compopt() { :; }; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _uwsgo; printf '%s\n' "${COMPREPLY[@]}"`
			args := append([]string{"--norc", "-c", complete, path}, strings.Split(tt.line, " ")...)
			check(t, ask(t, bash, args...), tt.want, tt.not)
		})
	}
}

func TestFish(t *testing.T) {
	fish := tool(t, "fish")
	path := script(t, "uwsgo.fish", Fish)
	for _, tt := range offers {
		if tt.name == "apps" {
			tt.not = nil // fish offers every file
		}
		t.Run(tt.name, func(t *testing.T) {
			words := ask(t, fish, "--no-config", "-c", "source "+path+"; complete -C '"+tt.line+"' | string split -f1 \\t; true")
			check(t, words, tt.want, tt.not)
		})
	}
}

// zsh can only be asked through a terminal; what it is told is read by it, and every option is in it.
func TestZsh(t *testing.T) {
	path := script(t, "_uwsgo", Zsh)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range config.Options.Rows() {
		if !strings.Contains(string(text), "'*--"+o.Name) {
			t.Errorf("--%s is missing", o.Name)
		}
	}
	for _, c := range Commands {
		if !strings.Contains(string(text), " "+c.Name+`:"`) && !strings.Contains(string(text), "("+c.Name+`:"`) {
			t.Errorf("%s is missing", c.Name)
		}
		for _, f := range c.Flags {
			if !strings.Contains(string(text), "own+=('--"+f.Name) {
				t.Errorf("%s --%s is missing", c.Name, f.Name)
			}
		}
	}
	if want := ":format:(text json sarif)'"; !strings.Contains(string(text), want) {
		t.Errorf("%q is missing", want)
	}
	out, err := exec.Command(tool(t, "zsh"), "-f", "-n", path).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := (Page{Version: "1.2.3", Date: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}).Write(&b); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "man"), "--warnings", "-l", "-")
	cmd.Env = append(os.Environ(), "MANPAGER=cat", "PAGER=cat", "MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
	cmd.Stdin = &b
	var said bytes.Buffer
	cmd.Stderr = &said
	page, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v: %s", err, said.String())
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, o := range config.Options.Rows() {
		if want := "--" + o.Name; !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, want := range []string{"UWSGO(1)", "uwsgo check | config | route file... [options]", "COMMANDS", "--import-timeout SECS how long", "--file-alone only", "say what a start with a configuration would say", "print the options of a configuration", "uwsgo 1.2.3", "run requests in this many threads of each worker (default: 1)", "EXIT STATUS"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
