package worker

import (
	"bytes"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// Processes of the Python that has compiled their side start with that, and others without it.
// Nobody can change it, and apps do not have it.
func TestCompiled(t *testing.T) {
	python, err := FindPython("")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := Compile(t.Context(), python)
	if err != nil {
		t.Fatal(err)
	}
	if compiled == nil {
		t.Skip("this system has no sealed files")
	}
	defer compiled.Close()
	if _, err := compiled.WriteAt([]byte("x"), 0); err == nil {
		t.Error("it can be changed")
	}
	if err := compiled.Truncate(0); err == nil {
		t.Error("it can be emptied")
	}
	text, err := io.ReadAll(io.NewSectionReader(compiled, 0, 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := bytes.Cut(text, []byte("\n"))
	for _, tt := range []struct {
		name   string
		text   []byte
		starts bool
	}{
		{"same_python", text, true},
		{"another_python", slices.Concat([]byte("another "), text), true},
		{"not_even_code", slices.Concat(key, []byte("\nnone")), false}, // so it was looked at
		{"empty", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := proc.Sealable("code")
			defer f.Close()
			if _, err := f.Write(tt.text); err != nil {
				t.Fatal(err)
			}
			if err := proc.Seal(f); err != nil {
				t.Fatal(err)
			}
			config := Config{Python: python, Code: f, Apps: []App{app(t, `
import os
def application(environ, start_response):
    start_response("200 OK", [])
    here = "/proc/self/fd/"
    names = [os.readlink(here + n) for n in os.listdir(here) if os.path.lexists(here + n)]
    return [b"open" if any("memfd:code" in name for name in names) else b"closed"]
`)}}
			if !tt.starts {
				newRig(t, &config, 1)
				if pool, err := Start(t.Context(), config); err == nil {
					_ = pool.Stop(t.Context())
					t.Error("the code was not used")
				}
				return
			}
			start(t, config, 1).get("/").body200("closed")
		})
	}
}

func TestCompiledOf(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Compiled(int(f.Fd())) != nil || Compiled(1<<20) != nil {
		t.Error("what is no such file is taken for one")
	}
	if open := proc.Sealable("open"); open != nil {
		defer open.Close()
		if Compiled(int(open.Fd())) != nil {
			t.Error("a file that can be changed is taken")
		}
	}
}
