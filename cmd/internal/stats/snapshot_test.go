package stats

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// busy is a server with one busy and one idle thread.
func busy() Snapshot {
	return Snapshot{
		Version: "2.0.31", ListenQueue: 3, Load: 3, PID: 100, UID: 33, GID: 34, Cwd: "/srv/\"app\"\\x",
		Sockets: List[Socket]{{Name: "127.0.0.1:8000", Proto: "http", Queue: 3, MaxQueue: 4096}},
		Workers: List[Worker]{{
			ID: 1, PID: 101, Accepting: true, Requests: 1 << 63, DeltaRequests: 7, Status: "busy",
			RSS: 11436032, VSZ: 58183680, RunningTime: 464, LastSpawn: 1795369952, RespawnCount: 1, TX: 94, AvgRT: 159,
			Apps: List[App]{{StartupTime: 1, Requests: 7}},
			Cores: []Core{
				{
					ID: 0, Requests: 3, InRequest: true,
					ReqInfo: ReqInfo{RequestStart: 1795369953},
				},
				{ID: 1, Requests: 4},
			},
		}},
		Uwsgo: Uwsgo{Connections: 5, ConnectionsAccepted: 9, Responses2xx: 7},
	}
}

func TestAppend(t *testing.T) {
	withoutCores := busy()
	withoutCores.Workers[0].Cores = nil
	tests := []struct {
		name     string
		give     Snapshot
		minified bool
	}{
		{"busy", busy(), false},
		{"busy_minified", busy(), true},
		{"empty", Snapshot{}, false},
		{"no_cores", withoutCores, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Append(nil, &test.give, test.minified)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(got) {
				t.Errorf("not valid JSON:\n%s", got)
			}
			golden := "testdata/" + test.name + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("differs from %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}
