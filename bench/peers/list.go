package peers

// All lists every peer, in the order of the tables.
func All() []Peer {
	return []Peer{
		uwsgo(),
		uwsgoSocket(),
		uwsgiHTTP(),
		uwsgiHTTPKeepAlive(),
		uwsgiHTTPSocket(),
		uwsgiHTTP11Socket(),
		uwsgiSocket(),
		behindNginx("uwsgo", "uwsgo", uwsgoSocket()),
		behindNginx("uwsgo-http", "uwsgo", uwsgo()),
		behindNginx("uwsgi", "uWSGI", uwsgiSocket()),
		// Of uWSGI's shapes that keep connections only the router can serve more
		// connections than there are threads, as nginx opens them.
		behindNginx("uwsgi-http", "uWSGI with its HTTP router", uwsgiHTTPKeepAlive()),
		behindNginx("gunicorn-gthread", "gunicorn with its threaded workers", gunicornGthread()),
		behindNginx("granian", "Granian", granian()),
		gunicornGthread(),
		gunicornGevent(),
		granian(),
		bjoern(),
		fastpysgi(),
		waitress(),
		goHello("go-reactor", "the reactor of uwsgo with a Go handler"),
		goHello("go-fasthttp", "the Go library fasthttp"),
		goHello("go-net-http", "Go's net/http"),
		nginxFile(),
	}
}
