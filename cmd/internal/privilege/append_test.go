package privilege

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What the user that root becomes has put into the way must not lead root to another's
// file. What only root can change works as ever.
func TestAppend(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: only root can become another user")
	}
	const user = 54321
	id := Identity{UID: user, GID: user}
	for _, tt := range []struct {
		name  string
		path  string // of the log, below a directory of root's
		links func(dir string) error
		err   string // empty: the log is written
	}{
		{name: "of_root", path: "root/log"},
		{name: "of_user", path: "user/log"},
		{name: "of_user_and_made_before", path: "user/log", links: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "user/log"), nil, 0o600)
		}},
		{name: "link_of_root", path: "root/log", links: func(dir string) error {
			return os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "root/log"))
		}},
		{name: "link_of_user", path: "user/log", links: func(dir string) error {
			return os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "user/log"))
		}, err: "symbolic link"},
		{name: "link_to_nothing", path: "user/log", links: func(dir string) error {
			return os.Symlink(filepath.Join(dir, "root/made"), filepath.Join(dir, "user/log"))
		}, err: "symbolic link"},
		{name: "hard_link_of_user", path: "user/log", links: func(dir string) error {
			return os.Link(filepath.Join(dir, "secret"), filepath.Join(dir, "user/log"))
		}, err: "hard link"},
		{name: "link_to_directory_of_root", path: "user/logs/log", links: func(dir string) error {
			return os.Symlink(filepath.Join(dir, "root"), filepath.Join(dir, "user/logs"))
		}, err: "symbolic link"},
		{name: "link_to_directory_of_user", path: "user/current/log", links: func(dir string) error {
			release := filepath.Join(dir, "user/release")
			return errors.Join(os.Mkdir(release, 0o700), os.Chown(release, user, user), os.Symlink("release", filepath.Join(dir, "user/current")))
		}},
		{name: "directory_of_root_in_users", path: "user/logs/log", links: func(dir string) error {
			return os.Mkdir(filepath.Join(dir, "user/logs"), 0o700)
		}},
		{name: "writable_by_all", path: "all/log", links: func(dir string) error {
			return os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "all/log"))
		}, err: "symbolic link"},
		{name: "directory_is_missing", path: "user/none/log", err: "no such file"},
	} {
		for how, open := range map[string]func(string, os.FileMode) (*os.File, error){"append": id.Append, "write": id.Write} {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				tt := tt
				if how == "write" && tt.name == "link_of_root" {
					tt.err = "symbolic link" // in place of the file it is never followed
				}
				// Not below TMPDIR, where anybody may write.
				dir, err := os.MkdirTemp("/var/lib", "uwsgo-test-")
				if err != nil {
					t.Skipf("SKIP: no directory that is root's alone: %v", err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				secret := filepath.Join(dir, "secret")
				for _, err := range []error{
					os.WriteFile(secret, nil, 0o600),
					os.Mkdir(filepath.Join(dir, "root"), 0o755), os.Mkdir(filepath.Join(dir, "user"), 0o755), os.Mkdir(filepath.Join(dir, "all"), 0o755),
					os.Chown(filepath.Join(dir, "user"), user, user), os.Chmod(filepath.Join(dir, "all"), 0o777),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				if tt.links != nil {
					if err := tt.links(dir); err != nil {
						t.Fatal(err)
					}
				}
				f, err := open(filepath.Join(dir, tt.path), 0o640)
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) {
						t.Errorf("%v, want an error with %q", err, tt.err)
					}
					if _, err := os.Stat(filepath.Join(dir, "root/made")); err == nil {
						t.Error("a file was made where the link leads to")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if _, err := f.WriteString("line\n"); err != nil {
					t.Fatal(err)
				}
				if text, err := os.ReadFile(filepath.Join(dir, tt.path)); err != nil || string(text) != "line\n" {
					t.Errorf("the log has %q, %v", text, err)
				}
			})
		}
	}
}

// A pipe that nobody reads is written to without waiting, and is no regular file.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	id := Identity{UID: -1, GID: -1}
	f, err := id.Append(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("line\n"); err != nil {
		t.Error(err)
	}
	// Now that somebody could read, too.
	if _, err := id.Write(path, 0o600); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("%v, want it to be refused", err)
	}
}
