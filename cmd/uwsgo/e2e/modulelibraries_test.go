package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// librariesApp uses libraries on their uWSGI way, as their own documentation has it, and the
// recipes by which projects close after the fork what they have opened before.
const librariesApp = `
import os, sqlite3, warnings

import uwsgi

found = {}

def attempt(function):
    try:
        found[function.__name__] = function()
    except ModuleNotFoundError as e:
        found[function.__name__] = f"missing: {e.name}"
    except BaseException as e:
        found[function.__name__] = f"{type(e).__name__}: {e}"

@attempt
def sentry():
    import sentry_sdk
    from sentry_sdk._compat import check_uwsgi_thread_support
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        sentry_sdk.init(dsn="http://a@127.0.0.1:1/1")
        return check_uwsgi_thread_support(), [str(w.message) for w in said]

@attempt
def datadog():
    from ddtrace.internal.uwsgi import check_uwsgi, should_register_atexit
    return check_uwsgi(worker_callback=print), should_register_atexit()

@attempt
def elastic():
    import elasticapm
    return type(elasticapm.Client(
        service_name="x", server_url="http://127.0.0.1:1", disable_send=True,
        metrics_interval="0ms", central_config=False, cloud_provider="none",
    )).__name__

@attempt
def new_relic():
    from newrelic.core.environment import environment_settings
    return [value for name, value in environment_settings() if name.startswith("Dispatcher")]

@attempt
def caching():
    from flask import Flask
    from flask_caching import Cache
    app = Flask("x")
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    with app.app_context():
        cache.set("a", 1)
        return cache.get("a")

@attempt
def caching_by_uwsgi():
    from cachelib.uwsgi import UWSGICache
    cache = UWSGICache()  # without cache2 it keeps nothing, there as here
    return cache.set("a", 1), cache.get("a")

try:
    import prometheus_client
    from prometheus_client import multiprocess
    UP = prometheus_client.Gauge("up", "x", multiprocess_mode="livesum")
except ImportError:
    UP = None

# As Nautobot has it: what was opened before the fork is closed in each worker.
connection = sqlite3.connect(":memory:", check_same_thread=False)
opened_in = os.getpid()
try:
    import uwsgidecorators

    @uwsgidecorators.postfork
    def close_connections():
        global connection, opened_in
        connection.close()
        connection, opened_in = sqlite3.connect(":memory:"), os.getpid()

    @uwsgidecorators.postfork
    def opentelemetry():
        @attempt
        def opentelemetry():
            from opentelemetry import trace
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
            sent = []
            class Keeps(SpanExporter):
                def export(self, spans):
                    sent.extend(span.name for span in spans)
            provider = TracerProvider()
            provider.add_span_processor(BatchSpanProcessor(Keeps(), schedule_delay_millis=10))
            trace.set_tracer_provider(provider)
            with trace.get_tracer("x").start_as_current_span("request"):
                pass
            provider.force_flush()
            return sent

    @uwsgidecorators.postfork
    def count():
        if UP is not None:
            import atexit
            UP.set(1)
            atexit.register(multiprocess.mark_process_dead, os.getpid())
except ImportError:
    pass

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/metrics":
        if UP is None:
            return [b"missing: prometheus_client"]
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return [prometheus_client.generate_latest(registry)]
    found["recipe"] = opened_in == os.getpid(), connection.execute("select 1").fetchone()
    return ["".join(f"{k}: {v}\n" for k, v in found.items()).encode()]
`

func TestModuleLibraries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	metrics := filepath.Join(dir, "metrics")
	if err := os.Mkdir(metrics, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "app.py", librariesApp)
	at := "127.0.0.1:" + freePort(t)
	s := start(t, dir, "--http", at, "--wsgi-file", "app.py", "--processes", "2", "--env", "PROMETHEUS_MULTIPROC_DIR="+metrics, "--lazy-apps=false")
	s.waitAnswer(t, "http://"+at+"/", 200)
	body := get(t, "http://"+at+"/").body
	for _, want := range []string{
		"sentry: (True, [])",
		"datadog: (None, True)",
		"elastic: Client",
		"new_relic: ['uWSGI', b'2.0.31']",
		"caching: 1",
		"caching_by_uwsgi: (None, None)",
		"opentelemetry: ['request']",
		"recipe: (True, (1,))",
	} {
		name, _, _ := strings.Cut(want, ":")
		if m := regexp.MustCompile("(?m)^" + name + ": missing: .*$").FindString(body); m != "" {
			t.Logf("not tried, as the virtualenv has it not: %s", m)
			continue
		}
		if !strings.Contains("\n"+body, "\n"+want+"\n") {
			t.Errorf("want %q in\n%s", want, body)
		}
	}

	// Workers that have been replaced are not counted any more.
	up := func(what string) {
		t.Helper()
		eventually(t, what, func() error {
			body := get(t, "http://"+at+"/metrics").body
			if strings.Contains(body, "missing:") || regexp.MustCompile(`(?m)^up 2\.0$`).MatchString(body) {
				return nil
			}
			return errors.New(body)
		})
	}
	up("both workers in the metrics")
	for n := range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a reload", func() error {
			if got := strings.Count(s.log.String(), "uwsgo has reloaded"); got < n+1 {
				return fmt.Errorf("%d reloads", got)
			}
			return nil
		})
		up("both workers, and no former one, in the metrics")
	}
}
