package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"testing"
)

// names gives what ps shows as arguments of the server's processes.
func (s *server) names() []string {
	var names []string
	for _, pid := range s.processes() {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil {
			names = append(names, strings.TrimRight(string(line), "\x00"))
		}
	}
	sort.Strings(names)
	return names
}

func TestProcnames(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want []string // sorted
	}{
		{"auto", []string{"--auto-procname"}, []string{"uWSGI master", "uWSGI worker 1", "uWSGI worker 2", "uWSGI zygote"}},
		{"lazy", []string{"--auto-procname", "--lazy-apps"}, []string{"uWSGI master", "uWSGI worker 1", "uWSGI worker 2", "uWSGI zygote"}},
		{"prefix", []string{"--procname-prefix", "a-", "--procname-append", "-z"}, []string{"a-uWSGI master-z", "a-uWSGI worker 1-z", "a-uWSGI worker 2-z", "a-uWSGI zygote-z"}},
		{"spaced", []string{"--procname-prefix-spaced", "my app"}, []string{"my app uWSGI master", "my app uWSGI worker 1", "my app uWSGI worker 2", "my app uWSGI zygote"}},
		{"all", []string{"--procname", "mine", "--procname-master", "his"}, []string{"his", "mine", "mine", "mine"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", environApp)
			port := freePort(t)
			base := "http://127.0.0.1:" + port + "/"
			s := start(t, dir, append(tt.args, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2", "--env", "OF_THE_TEST=x")...)
			s.waitAnswer(t, base, 200)
			eventually(t, "the names", func() error {
				if got := s.names(); !slices.Equal(got, tt.want) {
					return fmt.Errorf("%q, want %q", got, tt.want)
				}
				return nil
			})
			// What was written over is not what anything else uses.
			if a := get(t, base); !strings.Contains(a.body, "OF_THE_TEST=x") || !strings.Contains(a.body, s.mark) {
				t.Errorf("the app's environment: %s", a.body)
			}
			ps, err := exec.LookPath("ps")
			if err != nil {
				return
			}
			out, err := exec.Command(ps, "-o", "args=", "-p", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(s.processes())), ","), "[]")).CombinedOutput()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			for i := range lines {
				lines[i] = strings.TrimSpace(lines[i])
			}
			sort.Strings(lines)
			if err != nil || !slices.Equal(lines, tt.want) {
				t.Errorf("ps says %q, %v; want %q", lines, err, tt.want)
			}
		})
	}
}

// Without an option for it the server keeps its name, and the others have short ones; a name that is longer than the arguments is cut.
func TestProcnamesBounds(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	args := []string{"--http", ":" + port, "--wsgi-file", "app.py"}
	s := start(t, dir, args...)
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.pid()))
	if want := binary + "\x00" + strings.Join(args, "\x00") + "\x00"; err != nil || string(line) != want {
		t.Errorf("%q, %v; want %q", line, err, want)
	}

	if names, want := s.names(), []string{strings.TrimRight(string(line), "\x00"), "uwsgo worker 1", "uwsgo zygote"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}

	long := strings.Repeat("long", 1000)
	write(t, dir, "long.ini", "[uwsgi]\nhttp = 127.0.0.1:0\nwsgi-file = app.py\nprocname = "+long+"\n")
	s = start(t, dir, "long.ini")
	s.waitLog(t, "uwsgo is ready")
	line, err = os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.pid()))
	if want := len(binary) + len("long.ini") + 2; err != nil || len(line) != want || !strings.HasPrefix(long, strings.TrimRight(string(line), "\x00")) {
		t.Errorf("%q, %v; want %d bytes of the name", line, err, want)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.pid()))
	if err != nil || !strings.Contains(string(environ), s.mark) {
		t.Errorf("the environment behind the arguments: %q, %v", environ, err)
	}
}
