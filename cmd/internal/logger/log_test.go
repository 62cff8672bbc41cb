package logger

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLinesOfTheServer(t *testing.T) {
	for _, tt := range []struct{ name, give, want string }{
		{"plain", "WSGI app \"a\\b\" ready", "WSGI app \"a\\b\" ready"},
		{"several_lines", "Traceback:\n\tline\n", "Traceback:\n\tline"},
		{"letters_of_the_world", "größe 寸法 🙂", "größe 寸法 🙂"},
		{"escape_sequence", "a\x1b[2Jb", `a\u001b[2Jb`},
		{"title_and_bell", "\x1b]0;x\x07", `\u001b]0;x\u0007`},
		{"overwritten_line", "good\rbad", `good\u000dbad`},
		{"backspace_and_delete", "a\bb\x7f", `a\u0008b\u007f`},
		{"nul", "a\x00b", `a\u0000b`},
		{"control_of_eight_bits", "a\x9b2J", `a\u009b2J`},
		{"the_same_in_utf8", "a\u009b2J", `a\u009b2J`},
		{"no_utf8", "a\xff\xc3", `a\u00ff\u00c3`},
		{"text_that_runs_backwards", "a\u202eb", `a\u202eb`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			sink := open(t, path)
			sink.Log().Printf("%s", tt.give)
			if err := sink.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want+"\n" {
				t.Errorf("got %q, want %q", got, tt.want+"\n")
			}
		})
	}
}
