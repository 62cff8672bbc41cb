package config

import (
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// instead says what to do in place of options that run something other than a WSGI app in uWSGI.
var instead = []struct{ names, text string }{
	{"web3 pump wsgi-lite python-raw", "it is not supported: WSGI apps are, by module and wsgi-file"},
	{
		"psgi early-psgi php-app php-docroot php-mount php-index php-allowed-docroot rack rails lua cgi mono-app jwsgi ring-app ring-load v8-jsgi go-load gccgo-load symcall clojure-load webdav-mount xslt-docroot",
		"uwsgo runs apps in Python alone",
	},
	{
		"http-use-base http-use-pattern http-use-cache http-use-code-string http-use-socket http-subscription-server fastrouter rawrouter sslrouter sslrouter2 zerg zerg-server zergpool zerg-pool forkptyrouter forkpty-router",
		"uwsgo passes requests on by http-to and by rules alone",
	},
	{"attach-daemon attach-daemon2 smart-attach-daemon smart-attach-daemon2", "it runs commands beside an app; alone they are for the service manager"},
	{"cron cron2 unique-cron", "it runs commands beside an app; alone they are for cron or systemd timers"},
}

// NoApp says why there is nothing to serve, and what to do; empty if there is an app, or files.
func (c *Config) NoApp() string {
	if c.RunsPython() || c.HasFiles() || c.PassesOn() {
		return ""
	}
	const add = "there is no app to run: add wsgi-file = app.py or module = package.module, or static-map for files alone"
	for _, group := range instead {
		i := slices.IndexFunc(c.Entries, func(e ini.Entry) bool { return contains(group.names, e.Key) && e.Value != "" })
		if i >= 0 {
			e := c.Entries[i]
			return e.Origin.Name(e.Key) + ": " + group.text + "; " + add
		}
	}
	return add
}

// RunsPython reports whether there is something to run in Python: an app, or processes beside
// the workers, which need none.
func (c *Config) RunsPython() bool { return c.HasApp() || len(c.Mules)+len(c.Spoolers) > 0 }

// contains reports whether word is one of the words of names.
func contains(names, word string) bool {
	return slices.Contains(strings.Fields(names), word)
}
