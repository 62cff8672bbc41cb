// Package stats is uWSGI's stats server: a socket that gives everybody who connects one JSON
// document about the server, its sockets, workers and requests, and closes. The document has
// uWSGI's fields in uWSGI's order, for uwsgitop, uwsgi_exporter and scripts. One extra object,
// "uwsgo", has what uWSGI has no field for.
package stats

import (
	"encoding/json"
)

// Snapshot is the state of the server at one moment: plain data that the program fills in and
// [Server] writes. Names and order of the fields are uWSGI's. All numbers are unsigned integers in
// the JSON, as the exporters expect.
//
// As in uWSGI, conditional objects (daemons, caches, metrics, spoolers, crons, legions) are absent
// when none is configured.
type Snapshot struct {
	Version           string   `json:"version"`
	ListenQueue       uint64   `json:"listen_queue"`        // connections the kernel holds for accept: the longest of all TCP sockets
	ListenQueueErrors uint64   `json:"listen_queue_errors"` // 0, as in uWSGI
	SignalQueue       uint64   `json:"signal_queue"`        // signals of the uwsgi module that wait for a worker
	Load              uint64   `json:"load"`                // ListenQueue again, as in uWSGI
	PID               uint64   `json:"pid"`
	UID               uint64   `json:"uid"`
	GID               uint64   `json:"gid"`
	Cwd               string   `json:"cwd"`
	Daemons           []Daemon `json:"daemons,omitempty"`
	// Locks stays empty: uWSGI lists the process that holds each of its shared
	// locks, and uwsgo has none.
	Locks    List[map[string]uint64] `json:"locks"`
	Sockets  List[Socket]            `json:"sockets"`
	Workers  List[Worker]            `json:"workers"`
	Mules    []Mule                  `json:"mules,omitempty"`
	Metrics  map[string]Metric       `json:"metrics,omitempty"`
	Caches   []Cache                 `json:"caches,omitempty"`
	Spoolers []Spooler               `json:"spoolers,omitempty"`
	Crons    []Cron                  `json:"crons,omitempty"`
	Uwsgo    Uwsgo                   `json:"uwsgo"`
}

// Daemon is a process of attach-daemon.
type Daemon struct {
	Cmd      string `json:"cmd"`
	PID      uint64 `json:"pid"`
	Respawns uint64 `json:"respawns"`
}

// Metric is a metric of enable-metrics, by its name.
type Metric struct {
	Type  int    `json:"type"` // 0 counter, 1 gauge, 2 absolute, 3 alias
	OID   string `json:"oid"`
	Value int64  `json:"value"`
}

// Mule is a process of mule.
type Mule struct {
	ID           uint64 `json:"id"`
	PID          uint64 `json:"pid"` // 0 while there is none
	RespawnCount uint64 `json:"respawn_count"`
	LastSpawn    uint64 `json:"last_spawn"` // Unix time, s
	RSS          uint64 `json:"rss"`
	VSZ          uint64 `json:"vsz"`
}

// Cache is a cache of the uwsgi module.
type Cache struct {
	Name         string `json:"name"`
	Hash         string `json:"hash"`
	HashSize     uint64 `json:"hashsize"`
	KeySize      uint64 `json:"keysize"`
	MaxItems     uint64 `json:"max_items"`
	Blocks       uint64 `json:"blocks"`
	BlockSize    uint64 `json:"blocksize"`
	Items        uint64 `json:"items"`
	Hits         uint64 `json:"hits"`
	Miss         uint64 `json:"miss"`
	Full         uint64 `json:"full"`
	LastModified uint64 `json:"last_modified_at"` // Unix time, s
}

// Spooler is a process that works a spool directory off, or such a directory alone.
type Spooler struct {
	Dir      string `json:"dir"`
	PID      uint64 `json:"pid"` // 0 where another server does
	Tasks    uint64 `json:"tasks"`
	Respawns uint64 `json:"respawns"`
	Running  Flag   `json:"running"` // a task, just now
}

// Cron is a job of cron. Its numbers may be negative.
type Cron struct {
	Minute    int    `json:"minute"`
	Hour      int    `json:"hour"`
	Day       int    `json:"day"`
	Month     int    `json:"month"`
	Week      int    `json:"week"`
	Command   string `json:"command"`
	Unique    Flag   `json:"unique"`
	Legion    string `json:"legion"`     // always empty
	PID       int    `json:"pid"`        // -1 while it does not run
	StartedAt uint64 `json:"started_at"` // Unix time, s; 0 while it does not run
}

// Socket is one listener that answers requests.
type Socket struct {
	Name       string `json:"name"`      // its address as bound
	Proto      string `json:"proto"`     // "uwsgi" or "http"
	Queue      uint64 `json:"queue"`     // connections the kernel holds for accept; 0 for unix sockets
	MaxQueue   uint64 `json:"max_queue"` // the backlog asked of listen(2)
	Shared     Flag   `json:"shared"`
	CanOffload Flag   `json:"can_offload"`
}

// Worker is one Python process.
type Worker struct {
	ID            uint64 `json:"id"` // from 1
	PID           uint64 `json:"pid"`
	Accepting     Flag   `json:"accepting"`
	Requests      uint64 `json:"requests"`
	DeltaRequests uint64 `json:"delta_requests"` // since the last spawn
	Exceptions    uint64 `json:"exceptions"`
	HarakiriCount uint64 `json:"harakiri_count"`
	Signals       uint64 `json:"signals"`
	SignalQueue   uint64 `json:"signal_queue"`
	Status        string `json:"status"`        // "idle", "busy", "cheap" or "pause"
	RSS           uint64 `json:"rss"`           // bytes
	VSZ           uint64 `json:"vsz"`           // bytes
	RunningTime   uint64 `json:"running_time"`  // µs spent in requests, of all time
	LastSpawn     uint64 `json:"last_spawn"`    // Unix time, s
	RespawnCount  uint64 `json:"respawn_count"` // 1 for a worker that never died
	TX            uint64 `json:"tx"`            // bytes sent to clients
	AvgRT         uint64 `json:"avg_rt"`        // µs; after a request of rt µs: (avg_rt + rt) / 2, as in uWSGI

	Apps List[App] `json:"apps"`
	// Cores are the threads of the worker. A nil list leaves the key out, as stats-no-cores asks
	// for.
	Cores []Core `json:"cores,omitzero"`
}

// App is one mounted application of a worker.
type App struct {
	ID          uint64 `json:"id"`
	Modifier1   uint64 `json:"modifier1"`
	Mountpoint  string `json:"mountpoint"`
	StartupTime uint64 `json:"startup_time"` // s
	Requests    uint64 `json:"requests"`
	Exceptions  uint64 `json:"exceptions"`
	Chdir       string `json:"chdir"`
}

// Core is one thread of a worker.
type Core struct {
	ID                uint64 `json:"id"` // from 0
	Requests          uint64 `json:"requests"`
	StaticRequests    uint64 `json:"static_requests"`
	RoutedRequests    uint64 `json:"routed_requests"`
	OffloadedRequests uint64 `json:"offloaded_requests"`
	WriteErrors       uint64 `json:"write_errors"`
	ReadErrors        uint64 `json:"read_errors"`
	InRequest         Flag   `json:"in_request"`
	// Vars stays empty. uWSGI shows everybody who reaches the socket all variables of the request,
	// cookies and passwords included.
	Vars    List[string] `json:"vars"`
	ReqInfo ReqInfo      `json:"req_info"`
}

// ReqInfo has the time since when a core is busy.
type ReqInfo struct {
	RequestStart uint64 `json:"request_start,omitempty"` // Unix time, s; 0 while idle
}

// Uwsgo has what uWSGI's document has no field for. Counters start at 0 with the process. Those
// without a unit count events.
type Uwsgo struct {
	Connections         uint64     `json:"connections"` // open now
	ConnectionsAccepted uint64     `json:"connections_accepted"`
	AcceptPauses        uint64     `json:"accept_pauses"` // for lack of descriptors
	Requests            uint64     `json:"requests"`
	RequestsActive      uint64     `json:"requests_active"`    // read and not yet answered
	RequestsMalformed   uint64     `json:"requests_malformed"` // refused as malformed or over a limit
	RequestsAbandoned   uint64     `json:"requests_abandoned"` // the client left before its answer was complete
	BodiesSpooled       uint64     `json:"bodies_spooled"`     // request bodies that went to a file
	HandlerPanics       uint64     `json:"handler_panics"`
	Responses1xx        uint64     `json:"responses_1xx"`
	Responses2xx        uint64     `json:"responses_2xx"`
	Responses3xx        uint64     `json:"responses_3xx"`
	Responses4xx        uint64     `json:"responses_4xx"`
	Responses5xx        uint64     `json:"responses_5xx"`
	Timeouts            uint64     `json:"timeouts"` // head, body, keep-alive and write
	ReadErrors          uint64     `json:"read_errors"`
	WriteErrors         uint64     `json:"write_errors"`
	BytesReceived       uint64     `json:"bytes_received"` // bytes
	BytesSent           uint64     `json:"bytes_sent"`     // bytes
	QueueLength         uint64     `json:"queue_length"`   // requests that wait for a worker now
	QueueFull           uint64     `json:"queue_full"`     // answered 503: no room in the queue
	QueueTimeouts       uint64     `json:"queue_timeouts"` // answered 503: waited for longer than queue-timeout
	QueueShed           uint64     `json:"queue_shed"`     // answered 503: would have
	QueueUnrun          uint64     `json:"queue_unrun"`    // not run: the client went while the request waited
	SlowRoutes          uint64     `json:"slow_routes"`    // routes in the slow lane now, counted for each loop
	SlowHeld            uint64     `json:"slow_held"`      // requests to them that had to wait for another one's end
	LogLinesDropped     uint64     `json:"log_lines_dropped"`
	HTTPCache           *HTTPCache `json:"http_cache,omitempty"` // nil without the option
	// Processes are all Python processes of workers, those too that start or drain.
	Processes List[Process] `json:"processes"`
}

// HTTPCache are the answers that http-cache keeps.
type HTTPCache struct {
	Hits        uint64 `json:"hits"`        // answered from memory
	Misses      uint64 `json:"misses"`      // the app was asked
	Stale       uint64 `json:"stale"`       // answered from memory with what was not fresh
	Revalidated uint64 `json:"revalidated"` // misses in which the app said that nothing has changed
	Collapsed   uint64 `json:"collapsed"`   // hits after a wait for the fetch of another client
	Purged      uint64 `json:"purged"`
	Resources   uint64 `json:"resources"`
	Bytes       uint64 `json:"bytes"`
}

// Process is one Python process of a worker.
type Process struct {
	Worker   uint64 `json:"worker"` // its number, from 1
	PID      uint64 `json:"pid"`
	State    string `json:"state"` // "starting", "idle", "busy" or "draining"
	Requests uint64 `json:"requests"`
	Since    uint64 `json:"since"` // Unix time, s
}

// Flag is a yes or no that uWSGI writes as 1 or 0.
type Flag bool

// MarshalJSON writes 1 or 0.
func (f Flag) MarshalJSON() ([]byte, error) {
	if f {
		return []byte("1"), nil
	}
	return []byte("0"), nil
}

// List is a slice that is never null in JSON: readers of uWSGI's document loop over lists without
// asking.
type List[T any] []T

// MarshalJSON writes the list, [] when it is nil.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// Append adds s to dst as JSON: one line if minified, else one field a line, indented with tabs, as
// uWSGI writes it.
func Append(dst []byte, s *Snapshot, minified bool) ([]byte, error) {
	compact, err := json.Marshal(s)
	if err != nil {
		return dst, err
	}
	return Indent(dst, compact, minified), nil
}

// Indent adds JSON without blanks to dst as it is, or one field a line.
func Indent(dst, compact []byte, minified bool) []byte {
	if minified {
		return append(dst, compact...)
	}
	return appendIndented(dst, compact)
}

// appendIndented is json.Indent without the space after a colon: uWSGI writes none, and scripts
// grep for "status":"idle".
func appendIndented(dst, compact []byte) []byte {
	depth := 0
	newline := func() {
		dst = append(dst, '\n')
		for range depth {
			dst = append(dst, '\t')
		}
	}
	inString := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		switch {
		case inString:
			dst = append(dst, c)
			if c == '\\' {
				i++
				dst = append(dst, compact[i])
			} else if c == '"' {
				inString = false
			}
		case c == '{' || c == '[':
			dst = append(dst, c)
			if next := compact[i+1]; next == '}' || next == ']' {
				i++
				dst = append(dst, next)
				continue
			}
			depth++
			newline()
		case c == '}' || c == ']':
			depth--
			newline()
			dst = append(dst, c)
		case c == ',':
			dst = append(dst, c)
			newline()
		default:
			inString = c == '"'
			dst = append(dst, c)
		}
	}
	return dst
}
