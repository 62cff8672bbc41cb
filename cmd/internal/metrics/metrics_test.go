package metrics

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"orders", ""},
		{"name=orders,type=gauge,initial_value=-5,oid=1.2.3", ""},
		{"name=load,collector=file,arg1=/proc/loadavg,arg1n=0,type=gauge,freq=5", ""},
		{"name=x,type=alias,alias=orders", ""},
		{"", "no name of a metric"},
		{"../etc/passwd", "no name of a metric"},
		{"..", "no name of a metric"},
		{"type=gauge", "no name of a metric"},
		{"name=a b", "no name of a metric"},
		{"name=x,type=sum", "no type"},
		{"name=x,type=alias", "alias, the other metric, is missing"},
		{"name=x,collector=sum,children=a;b", "no collector"},
		{"name=x,children=a;b", "no children"},
		{"name=x,collector=file", "arg1, the file, is missing"},
		{"name=x,initial_value=y", "invalid syntax"},
		{"name=x,what=y", `"what" is no part of it`},
	} {
		_, err := Parse(c.value)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.value, err, c.want)
		}
	}
	for value, want := range map[string]string{
		"key=a,value=5,alarm=b,rate=60,msg=c,reset=0": "",
		"key=a": "key or value is missing", "value=5": "key or value is missing", "key=a,value=x": "invalid syntax", "key=a,value=1,what=2": "no part",
	} {
		if _, err := ParseThreshold(value); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
	for value, ok := range map[string]bool{"statsd:127.0.0.1:8125": true, "statsd:[::1]:8125,shop": true, "statsd:host": false, "mongodb:x": false, "": false} {
		if _, err := ParsePush(value); (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func set(t *testing.T, c Config, specs ...string) *Set {
	t.Helper()
	c.On = true
	for _, value := range specs {
		spec, err := Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		c.Specs = append(c.Specs, spec)
	}
	s, err := New(c, func() []Sample { return []Sample{{"core.total_tx", "5.100", Counter, 7}} }, nil, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestChange(t *testing.T) {
	s := set(t, Config{}, "a", "name=b,initial_value=5", "name=tx,type=alias,alias=core.total_tx")
	for _, c := range []struct {
		how  string
		by   int64
		want int64
	}{
		{"set", 10, 10},
		{"inc", 5, 15},
		{"dec", 3, 12},
		{"mul", 2, 24},
		{"div", 5, 4},
		{"set_max", 3, 4},
		{"set_max", 9, 9},
		{"set_min", 20, 9},
		{"set_min", 2, 2},
	} {
		if !s.Change("a", c.how, c.by) || s.Get("a") != c.want {
			t.Errorf("%s %d: %d, want %d", c.how, c.by, s.Get("a"), c.want)
		}
	}
	for _, c := range []struct{ name, how string }{{"none", "set"}, {"core.total_tx", "set"}, {"tx", "set"}, {"a", "div"}, {"a", "what"}} {
		if s.Change(c.name, c.how, 0) {
			t.Errorf("%s %s: done", c.how, c.name)
		}
	}
	if b, tx, alias, none := s.Get("b"), s.Get("core.total_tx"), s.Get("tx"), s.Get("none"); b != 5 || tx != 7 || alias != 7 || none != 0 {
		t.Errorf("b %d, core.total_tx %d, tx %d, none %d", b, tx, alias, none)
	}
	if got := fmt.Sprint(s.Samples()); got != "[{core.total_tx 5.100 0 7} {a  0 2} {b  0 5} {tx 5.100 3 7}]" {
		t.Errorf("samples %s", got)
	}
	none := (*Set)(nil)
	if none.Get("a") != 0 || none.Change("a", "set", 1) || none.Samples() != nil {
		t.Error("there are metrics where there are none")
	}
}

func TestDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kept"), []byte("41\n\x00\x00"), 0o600); err != nil { // as uWSGI has it
		t.Fatal(err)
	}
	load := filepath.Join(dir, "load")
	if err := os.WriteFile(load, []byte("1 2 3\n4"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := set(t, Config{Dir: dir, Restore: true}, "kept", "name=of_file,collector=file,arg1="+load+",arg1n=2", "name=none,collector=file,arg1=/does/not/exist")
	s.Change("kept", "inc", 1)
	s.collect()
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"kept": "42\n", "of_file": "3\n", "none": "0\n"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := New(Config{On: true, Dir: load}, nil, nil, t.Logf); err == nil {
		t.Error("a file is taken for a directory")
	}
}

// What is no file: neither the collector nor the stop may wait for it.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	pipe, load := filepath.Join(dir, "pipe"), filepath.Join(dir, "load")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(load, []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := set(t, Config{Dir: filepath.Join(dir, "values")},
		"name=a,collector=file,arg1="+pipe, "name=b,collector=file,arg1="+dir, "name=c,collector=file,arg1=/dev/zero", "name=d,collector=file,arg1="+load)
	s.collect()
	if got := s.Get("d"); got != 7 {
		t.Errorf("what comes behind the pipe is %d, want 7", got)
	}
	if _, err := New(Config{On: true, Dir: dir, Restore: true, Specs: []Spec{{Name: "pipe"}}}, nil, nil, t.Logf); err == nil {
		t.Error("a pipe is taken for the file of a metric")
	}
}

func TestThreshold(t *testing.T) {
	var raised []string
	zero := int64(0)
	s := set(t, Config{Thresholds: []Threshold{
		{Metric: "a", Value: 10, Alarm: "ops", Rate: time.Minute},
		{Metric: "b", Value: 5, Alarm: "ops", Message: "b is high", Reset: &zero},
	}}, "a", "b")
	s.raise = func(alarm, message string) { raised = append(raised, alarm+" "+message) }
	now := time.Now()
	for i := range 90 { // seconds
		s.Change("a", "set", int64(i))
		if i == 50 {
			s.Change("b", "set", 7)
		}
		s.look(now.Add(time.Duration(i) * time.Second))
	}
	if want := []string{"ops a", "ops b is high", "ops a"}; !slices.Equal(raised, want) {
		t.Errorf("raised %q, want %q", raised, want)
	}
}

func TestPush(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := set(t, Config{Pushes: []Push{{conn.LocalAddr().String(), "shop"}}}, "a", "name=g,type=gauge,initial_value=3")
	read := func() string {
		buf := make([]byte, 2000)
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	s.Change("a", "set", 5)
	for _, want := range []string{"shop.core.total_tx:7|c\nshop.a:5|c\nshop.g:3|g\n", "shop.g:3|g\n", "shop.a:2|c\nshop.g:3|g\n"} {
		if err := s.push(); err != nil {
			t.Fatal(err)
		}
		if got := read(); got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
		if strings.HasPrefix(want, "shop.g") {
			s.Change("a", "inc", 2)
		}
	}
}
