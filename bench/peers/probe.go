package peers

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// probeLimit is how long one answer may take. The first can wait for the app to
// be imported.
const probeLimit = 30 * time.Second

// probe asks until the server answers GET rightly.
func (srv *Server) probe(ctx context.Context, begun time.Time) error {
	ask := askHTTP
	if srv.Peer.Protocol == UWSGI {
		ask = askUWSGI
	}
	path, wantStatus := cmp.Or(srv.Setup.Path, "/"), cmp.Or(srv.Setup.Status, http.StatusOK)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var firstWrong time.Time
	var last error
	for {
		status, body, err := ask(ctx, srv.Addr, path)
		switch {
		case err != nil:
		case status != wantStatus:
			err = fmt.Errorf("GET %s was answered with status %d", path, status)
		case srv.Setup.Want != nil && !bytes.Equal(body, srv.Setup.Want):
			err = fmt.Errorf("GET %s was answered with the wrong body, %.60q", path, body)
		default:
			return nil
		}
		if ctx.Err() == nil { // else it only says that time is up
			last = err
		}
		if status == 0 {
			firstWrong = time.Time{}
		} else if firstWrong.IsZero() {
			firstWrong = time.Now()
		}
		if !firstWrong.IsZero() && time.Since(firstWrong) > wrongLimit {
			return fmt.Errorf("it listens, but does not become right: %w", last)
		}
		select {
		case <-srv.ended:
			return fmt.Errorf("it ended (%v) before it answered", srv.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("no right answer in %v: %w", time.Since(begun).Round(time.Second), last)
		case <-time.After(time.Millisecond):
		}
	}
}

// askHTTP gives the status and the body of GET path.
func askHTTP(ctx context.Context, addr, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Close = true
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// askUWSGI is askHTTP over the uwsgi protocol.
func askUWSGI(ctx context.Context, addr, path string) (status int, body []byte, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(probeLimit)); err != nil {
		return 0, nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	plain, query, _ := strings.Cut(path, "?")
	if decoded, err := url.PathUnescape(plain); err == nil {
		plain = decoded
	}
	packet, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
		{Name: "REQUEST_METHOD", Value: http.MethodGet},
		{Name: "REQUEST_URI", Value: path},
		{Name: "PATH_INFO", Value: plain},
		{Name: "QUERY_STRING", Value: query},
		{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "SERVER_NAME", Value: "127.0.0.1"},
		{Name: "SERVER_PORT", Value: "80"},
		{Name: "REMOTE_ADDR", Value: "127.0.0.1"},
		{Name: "HTTP_HOST", Value: addr},
	})
	if err != nil {
		return 0, nil, err
	}
	if _, err := conn.Write(packet); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
