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
		behindNginx(uwsgo()),
		behindNginx(uwsgiSocket()),
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
