package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// corpora is the folder of collections of configuration files, which are no part of this
// project: UWSGO_CORPORA, or what lies beside the checkout.
func corpora(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("UWSGO_CORPORA")
	if dir == "" {
		dir = "../../../../shared/corpora"
	}
	dir, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIP: no collection of configurations at %s; UWSGO_CORPORA names the folder of all", dir)
	}
	return dir
}

// TestIniCorpus reads real files and compares with what uWSGI holds after it has read them:
// the same options with the same values in the same order, and the same unknown names.
func TestIniCorpus(t *testing.T) {
	dir := corpora(t, "ini")
	cases, err := filepath.Glob(filepath.Join(dir, "expected", "*.json"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			ID, Root, Arg, Error string
			Env, Extra           map[string]string
			Options              [][2]string
			Unknown              []string
		}
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(c.ID, func(t *testing.T) {
			stage := t.TempDir()
			root := filepath.Join(stage, filepath.Base(c.Root))
			if err := os.CopyFS(root, os.DirFS(filepath.Join(dir, c.Root))); err != nil {
				t.Fatal(err)
			}
			for to, from := range c.Extra {
				content, err := os.ReadFile(filepath.Join(dir, from))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, to), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(root)
			env := map[string]string{"PATH": "/usr/bin:/bin", "HOME": "/home/bar", "LANG": "C.UTF-8"}
			var environ []string
			for name, value := range c.Env {
				env[name] = value
				environ = append(environ, name+"="+value)
			}
			slices.Sort(environ)
			w := ini.OS(nil)
			w.Getenv = func(name string) (string, bool) { v, ok := env[name]; return v, ok }

			list, err := List([]string{"--ini", c.Arg}, environ, w)
			if c.Error != "" {
				if err == nil {
					t.Errorf("it was read, and uWSGI says %s", c.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := list.JSON(&out); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Options [][2]string
				Unknown []string
			}
			if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
				t.Fatal(err)
			}
			// The cases leave out what UWSGI_ variables give, which uWSGI holds first.
			given := len(environ) - len(slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "UWSGI_") }))
			got.Options = got.Options[min(given, len(got.Options)):]
			fill := machine(stage, w)
			for i := range c.Options {
				c.Options[i][1] = fill(c.Options[i][1])
			}
			if diff := cmp.Diff(c.Options, got.Options); diff != "" {
				t.Errorf("options, -uWSGI +uwsgo:\n%s", diff)
			}
			if diff := cmp.Diff(c.Unknown, got.Unknown); diff != "" {
				t.Errorf("unknown names, -uWSGI +uwsgo:\n%s", diff)
			}
		})
	}
}

var cpus = regexp.MustCompile(`\{CPUS\*(\d+)\+(\d+)\}`)

// machine fills in what the cases say of the machine.
func machine(stage string, w ini.World) func(string) string {
	words := strings.NewReplacer("{STAGE}", stage, "{HOST}", w.Host, "{UID}", strconv.Itoa(w.UID), "{USER}", w.User,
		"{GID}", strconv.Itoa(w.GID), "{GROUP}", w.Group, "{VERSION}", ini.UWSGIVersion)
	return func(s string) string {
		s = cpus.ReplaceAllStringFunc(s, func(match string) string {
			factors := cpus.FindStringSubmatch(match)
			m, _ := strconv.Atoi(factors[1])
			n, _ := strconv.Atoi(factors[2])
			return strconv.Itoa(runtime.NumCPU()*m + n)
		})
		return words.Replace(s)
	}
}
