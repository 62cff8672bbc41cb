package config

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// ShowConfig writes the options as an ini file, as uWSGI's show-config does: each as given,
// expanded, in order. uWSGI writes it to its log, which is standard error.
func (c *Config) ShowConfig(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\n;uWSGI instance configuration\n[uwsgi]\n")
	for _, e := range c.Entries {
		value := e.Value
		if !e.HasValue {
			value = "true"
		}
		fmt.Fprintf(&b, "%s = %s\n", e.Key, value)
	}
	b.WriteString(";end of configuration\n\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// VersionLine is what --version prints; program is os.Args[0]. Scripts for uWSGI compare the whole
// output with a number. So a program whose name is not uwsgo (a link, say) prints the release of
// uWSGI, and nothing else.
func VersionLine(program, version string) string {
	if strings.HasPrefix(path.Base(program), "uwsgi") {
		return ini.UWSGIVersion + "\n"
	}
	return fmt.Sprintf("uwsgo %s (options and ini files of uWSGI %s)\n", version, ini.UWSGIVersion)
}

// UsageText is printed when there is nothing to do.
const UsageText = `uwsgo serves Python web apps. Say what to run:

  uwsgo app:app
  uwsgo --http :8080 --module myproject.wsgi:application
  uwsgo --http :8080 --wsgi-file app.py --processes 4 --threads 2
  uwsgo uwsgi.ini

Options, ini files and UWSGI_* variables are uWSGI's; uwsgo --help lists them.
`
