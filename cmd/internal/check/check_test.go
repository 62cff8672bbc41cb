package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// machine is one where all is well: this process is user 1000, nobody listens anywhere, and
// there is room for everything. Its files are those of a new folder.
func machine(t *testing.T) Machine {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return Machine{
		Cwd: dir, UID: 1000, Stat: os.Stat, Lstat: os.Lstat,
		Lookup: func(r privilege.Request) (privilege.Identity, error) {
			if r.User == "nobody" {
				return privilege.Identity{UID: 65534, GID: 65534}, nil
			}
			if r.User != "" {
				return privilege.Identity{}, errors.New("uid: there is no user " + r.User)
			}
			return privilege.Identity{UID: -1, GID: -1}, nil
		},
		Access: func(privilege.Identity, string, uint32) error { return nil },
		Bind:   func(string, bool) error { return nil },
		Served: func(string) bool { return false },
		Limits: func(privilege.Identity) Limits {
			return Limits{Files: 1024, MostFiles: 4096, Processes: 1000, Loops: 1}
		},
		Vassals: emperor.Find,
	}
}

// examine checks an ini file of this text, in the folder of m.
func examine(t *testing.T, m Machine, text string, change func(in *Input)) *Report {
	t.Helper()
	path := filepath.Join(m.Cwd, "a.ini")
	if err := os.WriteFile(path, []byte("[uwsgi]\n"+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, mistakes := config.Examine([]string{path}, nil, ini.OS(strings.NewReader("")))
	in := Input{Name: path, Config: cfg, Mistakes: mistakes}
	if change != nil {
		change(&in)
	}
	return Check(in, m)
}

func TestCheck(t *testing.T) {
	const app = "http = 127.0.0.1:8080\nwsgi-file = app.py\n"
	root := func(m *Machine) { m.UID = 0 }
	bind := func(err error) func(m *Machine) {
		return func(m *Machine) { m.Bind = func(string, bool) error { return err } }
	}
	limits := func(l Limits) func(m *Machine) {
		return func(m *Machine) { m.Limits = func(privilege.Identity) Limits { return l } }
	}
	denied := func(uid int, mode uint32) func(m *Machine) {
		return func(m *Machine) {
			m.UID = 0
			m.Access = func(as privilege.Identity, _ string, asked uint32) error {
				if as.UID == uid && asked&mode != 0 {
					return unix.EACCES
				}
				return nil
			}
		}
	}
	for _, tt := range []struct {
		name, ini string
		machine   func(m *Machine)
		want      []string // "line level rule option: part of the message"; line 0 is none
	}{
		{"fine", app, nil, nil},
		{"mistake", app + "processes = 4x", nil, []string{"4 error configuration processes: "}},
		{"mistakes_all_at_once", app + "processes = 4x\nharakiri = soon", nil, []string{"4 error configuration processes: ", "5 error configuration harakiri: "}},
		{"unknown_name", app + "procesess = 4", nil, []string{"4 warning configuration procesess: "}},
		{"no_app", "http = :8080", nil, []string{"0 error app : no app to run"}},
		{"no_address_beside_a_daemon", "wsgi-file = app.py\nattach-daemon = sleep 9", nil, []string{"0 note address : no socket to listen on"}},
		{"no_address_beside_a_cron", "wsgi-file = app.py\ncron2 = minute=-1 true", nil, []string{"0 note address : no socket to listen on"}},
		{"hook_is_not_run", app + "hook-pre-app = exec:./migrate\nhook-as-user = exec:./more", nil, []string{"4 note hook hook-pre-app: may end where it fails"}},
		{"no_address", "wsgi-file = app.py", nil, []string{"0 error address : no socket to listen on"}},
		{"address_is_none", "http = 127.0.0.1:99999\nwsgi-file = app.py", nil, []string{"2 error address http: "}},
		{"address_taken", app, bind(unix.EADDRINUSE), []string{"2 note address http: somebody listens there now"}},
		{"address_privileged", app, bind(unix.EACCES), []string{"2 error address http: only root may listen on this port"}},
		{"address_of_another_machine", app, bind(unix.EADDRNOTAVAIL), []string{"2 error address http: no such address"}},
		{"address_cannot_be_bound", app, bind(unix.EPERM), []string{"2 error address http: operation not permitted"}},
		{"address_twice", app + "http = 127.0.0.1:8080", nil, []string{"4 error address http: the address is taken by"}},
		{"address_within_another", app + "socket = :8080", nil, []string{"4 error address socket: the address is taken by"}},
		{"address_twice_with_reuse_port", app + "http = 127.0.0.1:8080\nreuse-port = true", nil, nil},
		{"address_of_stats_too", app + "stats = 127.0.0.1:8080", nil, []string{"4 error address stats: the address is taken by"}},
		{"two_sockets_at_one_path", app + "socket = ./a.sock\nsocket = a.sock", nil, []string{"5 error address socket: the address is taken by"}},
		{"socket_served", app + "socket = @name", func(m *Machine) { m.Served = func(string) bool { return true } }, []string{"4 note address socket: somebody listens there now"}},
		{"socket_on_a_file", app + "socket = app.py", nil, []string{"4 error address socket: no socket, and will not be replaced"}},
		{"socket_in_no_folder", app + "socket = none/a.sock", nil, []string{"4 error path socket: make the directory"}},
		{"chdir", app + "chdir = none", nil, []string{"4 error path chdir: no such file"}},
		{"chdir_on_a_file", app + "chdir = app.py", nil, []string{"4 error path chdir: is no directory"}},
		{"log_in_no_folder", app + "logto = none/a.log", nil, []string{"4 error path logto: make the directory"}},
		{"log_is_a_folder", app + "logto = .", nil, []string{"4 error path logto: is a directory"}},
		{"daemon_in_no_folder", app + "daemonize = none/a.log", nil, []string{"4 error path daemonize: make the directory"}},
		{"made_by_a_hook", app + "hook-asap = exec:mkdir none\nlogto = none/a.log", nil, []string{"4 note hook hook-asap: ", "5 error path logto: make the directory"}},
		{"made_by_a_hook_before_it", app + "hook-asap = exec:mkdir none\npidfile = none/a.pid", nil, []string{"4 note hook hook-asap: ", "5 warning path pidfile: hook-asap makes it, which is not run here"}},
		{"pipe_on_a_file", app + "master-fifo = app.py", nil, []string{"4 error path master-fifo: is no named pipe"}},
		{"static_files", app + "static-map = /s=none", nil, []string{"4 warning path static-map: nothing is served from there"}},
		{"static_files_of_another", app + "static-map = /s=.\nuid = nobody\ngid = nobody", denied(65534, unix.R_OK), []string{"4 warning path static-map: user 65534 may not read it"}},
		{"chdir_of_another", app + "chdir = .\nuid = nobody", denied(-1, unix.X_OK), []string{"4 error path chdir: may not enter it"}},
		{"user_unknown", app + "uid = someone", root, []string{"4 error user uid: there is no user someone"}},
		{"user_without_root", app + "uid = nobody", nil, []string{"4 error user uid: only root can become user 65534"}},
		{"root", app, root, []string{"0 warning user : runs as root"}},
		{"chroot_without_root", app + "chroot = .", nil, []string{"4 error user chroot: only root", "4 note path chroot: is not looked at"}},
		{"files_too_few", app + "processes = 8\nthreads = 64", limits(Limits{Files: 1024, MostFiles: 300, Processes: -1, Loops: 1}), []string{"5 error limit threads: need 576 open files"}},
		{"files_scarce", app + "processes = 8\nthreads = 64", limits(Limits{Files: 1024, MostFiles: 1024, Processes: -1, Loops: 1}), []string{"5 warning limit threads: leaves few"}},
		{"files_of_a_worker", app + "threads = 64", limits(Limits{Files: 64, MostFiles: 4096, Processes: -1, Loops: 1}), []string{"4 error limit threads: a worker with 64 threads"}},
		{"processes_too_few", app + "processes = 8", limits(Limits{Files: 1024, MostFiles: 4096, Processes: 100, Running: 80, Loops: 1}), []string{"4 warning limit processes: limit of the user is 100"}},
		{"hook_that_ends_it", app + "hook-asap = exit:22", nil, []string{"4 error hook hook-asap: exit code 22"}},
		{"emperor", "emperor = .", nil, []string{"2 note path emperor: vassals found at .: 1"}},
		{"emperor_of_nothing", "emperor = none", nil, []string{"2 note path emperor: there is no vassal yet"}},
		{"emperor_of_a_pattern", "emperor = *.ini", nil, []string{"2 note path emperor: vassals found at *.ini: 1"}},
		{"tyrant_without_root", "emperor = none\nemperor-tyrant = true", nil, []string{"3 error user emperor-tyrant: only root", "2 note path emperor: no vassal yet"}},
		{"emperor_pid_file", "emperor = none\nemperor-pidfile = none/pid", nil, []string{"3 error path emperor-pidfile: make the directory", "2 note path emperor: "}},
		{"emperor_stats", "emperor = none\nemperor-stats = 127.0.0.1:99999", nil, []string{"3 error address emperor-stats: ", "2 note path emperor: "}},
		{"emperor_stats_taken", "emperor = none\nemperor-stats = 127.0.0.1:1717", bind(unix.EADDRINUSE), []string{"3 note address emperor-stats: somebody listens", "2 note path emperor: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(t)
			if tt.machine != nil {
				tt.machine(&m)
			}
			r := examine(t, m, tt.ini, nil)
			errs := 0
			for i, f := range r.Findings {
				if f.Level == Error {
					errs++
				}
				if i >= len(tt.want) {
					t.Errorf("also: %+v", f)
					continue
				}
				var line int
				var level, rule string
				head, part, _ := strings.Cut(tt.want[i], ": ")
				fields := append(strings.Fields(head), "")
				line, level, rule = int(fields[0][0]-'0'), fields[1], fields[2]
				if f.Line != line || string(f.Level) != level || f.Rule != rule || f.Option != fields[3] || !strings.Contains(f.Message, part) {
					t.Errorf("%+v\nwant %s", f, tt.want[i])
				}
			}
			if len(r.Findings) < len(tt.want) {
				t.Errorf("not found: %q", tt.want[len(r.Findings):])
			}
			if r.Starts != (errs == 0) {
				t.Errorf("starts: %v", r.Starts)
			}
		})
	}
}

// What the import says decides where the app is needed; nothing of the machine is asked
// where the file alone counts.
func TestImport(t *testing.T) {
	const app = "http = :8080\nwsgi-file = app.py\n"
	trial := func(reason string) func(*config.Config, Place) (*worker.Trial, error) {
		return func(*config.Config, Place) (*worker.Trial, error) {
			return &worker.Trial{Apps: []worker.LoadedApp{{Reason: reason}}, Output: "printed\n"}, nil
		}
	}
	failing := func(*config.Config, Place) (*worker.Trial, error) {
		return nil, errors.New("the import was not over after 1s")
	}
	for _, tt := range []struct {
		name, ini string
		run       func(*config.Config, Place) (*worker.Trial, error)
		alone     bool
		level     Level
		starts    bool
		says      string
	}{
		{"loads", app, trial(""), false, "", true, ""},
		{"does_not_load", app, trial("No module named x"), false, Error, false, "No module named x"},
		{"need_not_load", app + "need-app = false", trial("No module named x"), false, Warning, true, "No module named x"},
		{"hangs", app, failing, false, Error, false, "not over after 1s"},
		{"hook_may_make_it", app + "hook-pre-app = exec:./build", trial("No module named x"), false, Error, false, "which is not run here"},
		{"file_alone", app + "chdir = /none\nuid = someone", failing, true, "", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(t)
			if tt.alone {
				m = Machine{Cwd: m.Cwd, Stat: func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist }}
			}
			r := examine(t, m, tt.ini, func(in *Input) { in.Import, in.FileAlone = tt.run, tt.alone })
			if r.Starts != tt.starts {
				t.Errorf("starts: %v, %+v", r.Starts, r.Findings)
			}
			if tt.level == "" {
				if len(r.Findings) > 0 {
					t.Errorf("%+v", r.Findings)
				}
				return
			}
			if n := len(r.Findings); n == 0 || r.Findings[n-1].Level != tt.level || !strings.Contains(r.Findings[n-1].Message, tt.says) {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

func TestForms(t *testing.T) {
	m := machine(t)
	r := examine(t, m, "http = :8080\nwsgi-file = none file.py\nlegion = s\nmaster = true\nprocesses = x", nil)
	alone := Check(Input{Mistakes: []error{errors.New("--no-such: unknown")}}, m)
	var text, object, sarif bytes.Buffer
	reports := []*Report{r, alone}
	if err := errors.Join(Text(&text, reports), JSON(&object, reports), SARIF(&sarif, reports, "1.2")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a.ini:6: error: processes: ", "\nlost, and what to do instead (1)\n", "a.ini:4: legion: there are no legions", "options: a server would not start: 1 error, 0 warnings, 0 lost"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	var read struct {
		Version int
		Files   []*Report
	}
	if err := json.Unmarshal(object.Bytes(), &read); err != nil || read.Version != 1 || len(read.Files) != 2 || read.Files[0].Findings[0] != r.Findings[0] {
		t.Errorf("%v\n%s", err, object.String())
	}
	validSARIF(t, sarif.Bytes())
}

// validSARIF holds a log to what the schema of SARIF 2.1.0 demands of the parts that are used:
// which are there, what they are, and that no other is.
func validSARIF(t *testing.T, log []byte) {
	t.Helper()
	type text struct{ Text *string }
	var l struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version string
					Rules         []struct {
						ID               string
						ShortDescription text
					}
				}
			}
			Results []struct {
				RuleID    string
				Level     string
				Message   text
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	d := json.NewDecoder(bytes.NewReader(log))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatalf("%v in\n%s", err, log)
	}
	if l.Version != "2.1.0" || len(l.Runs) != 1 || l.Runs[0].Tool.Driver.Name == "" || len(l.Runs[0].Results) == 0 {
		t.Fatalf("%s", log)
	}
	rules := map[string]bool{}
	for _, r := range l.Runs[0].Tool.Driver.Rules {
		if rules[r.ID] || r.ShortDescription.Text == nil {
			t.Errorf("rule %q: twice, or without a text", r.ID)
		}
		rules[r.ID] = true
	}
	for _, r := range l.Runs[0].Results {
		if !rules[r.RuleID] || r.Message.Text == nil || *r.Message.Text == "" || !strings.Contains(" none note warning error ", " "+r.Level+" ") {
			t.Errorf("%+v", r)
		}
		for _, at := range r.Locations {
			if p := at.PhysicalLocation; p.Region.StartLine < 1 || p.ArtifactLocation.URI == "" || strings.Contains(p.ArtifactLocation.URI, " ") {
				t.Errorf("%+v", p)
			}
		}
	}
}
