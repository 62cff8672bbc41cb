package emperor

import (
	"encoding/json"
	"os"
	"time"
)

// document is what uWSGI's emperor tells, in its order.
type document struct {
	Version   string   `json:"version"`
	PID       int      `json:"pid"`
	UID       int      `json:"uid"`
	GID       int      `json:"gid"`
	Cwd       string   `json:"cwd"`
	Emperor   []string `json:"emperor"`
	Tyrant    int      `json:"emperor_tyrant"`
	Throttle  int64    `json:"throttle_level"`
	Vassals   []told   `json:"vassals"`
	Blacklist []listed `json:"blacklist"`
}

type told struct {
	ID            string   `json:"id"`
	PID           int      `json:"pid"`
	Born          int64    `json:"born"`
	LastMod       int64    `json:"last_mod"`
	LastHeartbeat int64    `json:"last_heartbeat"`
	Loyal         int      `json:"loyal"`
	Ready         int      `json:"ready"`
	Accepting     int      `json:"accepting"`
	LastLoyal     int64    `json:"last_loyal"`
	LastReady     int64    `json:"last_ready"`
	LastAccepting int64    `json:"last_accepting"`
	FirstRun      int64    `json:"first_run"`
	LastRun       int64    `json:"last_run"`
	Cursed        int64    `json:"cursed"`
	Zerg          int      `json:"zerg"`
	OnDemand      string   `json:"on_demand"`
	Suspended     int      `json:"suspended"`
	Adopted       int      `json:"adopted"`
	UID           int      `json:"uid"`
	GID           int      `json:"gid"`
	Monitor       string   `json:"monitor"`
	Attrs         []string `json:"attrs"`
	Respawns      int      `json:"respawns"`
}

type listed struct {
	ID           string `json:"id"`
	Throttle     int64  `json:"throttle_level"`
	Attempt      int    `json:"attempt"`
	FirstAttempt int64  `json:"first_attempt"`
	LastAttempt  int64  `json:"last_attempt"`
}

// Document tells of the vassals, as JSON. Any goroutine, while Run does its work.
func (e *Emperor) Document(version string) ([]byte, error) {
	var text []byte
	var err error
	done := make(chan struct{})
	select {
	case e.events <- func() {
		text, err = json.Marshal(e.document(version))
		close(done)
	}:
		<-done
	case <-e.ended:
	}
	return text, err
}

func (e *Emperor) document(version string) document {
	d := document{
		Version: version, PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), Tyrant: flag(e.o.Tyrant),
		Throttle: e.o.Throttle.Milliseconds(), Emperor: []string{}, Vassals: []told{}, Blacklist: []listed{},
	}
	d.Cwd, _ = os.Getwd()
	for _, m := range e.monitors {
		d.Emperor = append(d.Emperor, m.name)
	}
	for _, v := range e.court.Vassals() {
		t := told{
			ID: v.Name, PID: v.PID, Born: unix0(v.Born), LastMod: unix0(v.Mark.Time), LastHeartbeat: unix0(v.LastBeat),
			Loyal: flag(!v.Loyal.IsZero()), Ready: flag(!v.Ready.IsZero()), Accepting: flag(!v.Accepting.IsZero()),
			LastLoyal: unix0(v.Loyal), LastReady: unix0(v.Ready), LastAccepting: unix0(v.Accepting),
			FirstRun: unix0(v.FirstRun), LastRun: unix0(v.LastRun), Cursed: unix0(v.CursedAt), OnDemand: v.Demand,
			UID: v.UID, GID: v.GID, Monitor: v.Monitor, Attrs: []string{}, Respawns: v.Respawns,
		}
		if t.PID == 0 {
			t.PID = -1
		}
		d.Vassals = append(d.Vassals, t)
		if v.failures > 0 {
			d.Blacklist = append(d.Blacklist, listed{v.Name, e.court.pause(v).Milliseconds(), v.failures, unix0(v.FirstAttempt), unix0(v.LastAttempt)})
		}
	}
	return d
}

// unix0 is a time in seconds, 0 for none.
func unix0(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}
