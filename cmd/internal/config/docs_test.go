package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

var iniBlock = regexp.MustCompile("(?s)```ini\n(\\[uwsgi\\]\n.*?)```")

// Every ini file that the documentation and the packages show is taken as it stands, and
// loses nothing.
func TestShownFilesLoad(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	texts := map[string]string{}
	for _, pattern := range []string{"docs/examples/*/*.ini", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
			if filepath.Ext(path) == ".ini" {
				texts[name] = string(text)
				continue
			}
			for _, block := range iniBlock.FindAllStringSubmatch(string(text), -1) {
				texts[name] += block[1]
			}
		}
	}
	readme, err := os.ReadFile(filepath.Join(root, "cmd/uwsgo/package/linux/apps-enabled.README"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "        [uwsgi]\n")
	block, _, _ = strings.Cut(block, "\n\n")
	texts["apps-enabled.README"] = "[uwsgi]\n" + block + "\n"
	if len(texts) < 8 {
		t.Errorf("only %d texts are found", len(texts))
	}
	for name, text := range texts {
		if text == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c, err := Load([]string{"--ini", "-"}, nil, ini.OS(strings.NewReader(text)))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if len(c.Warnings) > 0 || len(c.Losses.Function)+len(c.Losses.Unprotected)+len(c.Losses.Changed) > 0 || !c.HasApp() && !c.HasFiles() {
				t.Errorf("warnings %q, losses %+v", c.Warnings, c.Losses)
			}
		})
	}
}
