package privilege

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookup(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	uid, gid := number(me.Uid), number(me.Gid)
	for _, tt := range []struct {
		name     string
		give     Request
		uid, gid int
	}{
		{"nothing", Request{}, -1, -1},
		{"name_brings_its_group", Request{User: me.Username}, uid, gid},
		{"number_brings_its_group", Request{User: me.Uid}, uid, gid},
		{"group_of_its_own", Request{User: me.Username, Group: "12345"}, uid, 12345},
		{"only_a_group", Request{Group: "12345"}, -1, 12345},
		{"number_without_a_name", Request{User: "1987654321", Group: "1987654321"}, 1987654321, 1987654321},
		{"comment_behind", Request{User: me.Uid + " ; web", Group: "12345 # web"}, uid, 12345},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := Lookup(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if id.UID != tt.uid || id.GID != tt.gid {
				t.Errorf("%d:%d, want %d:%d", id.UID, id.GID, tt.uid, tt.gid)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	id, err := Lookup(Request{User: me.Username, Extra: []string{"4321", "1234", "4321"}, NoInitgroups: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1234, 4321}, id.Groups); diff != "" {
		t.Errorf("no-initgroups leaves add-gid alone (-want +got):\n%s", diff)
	}
	own, err := me.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	if id, err = Lookup(Request{User: me.Username}); err != nil || len(id.Groups) != len(own) {
		t.Errorf("groups %v, %v, want those the user is in, %v", id.Groups, err, own)
	}
}

func TestLookupErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		give Request
		want string
	}{
		{"no_such_user", Request{User: "nobody-of-this-name"}, `uid: there is no user "nobody-of-this-name"`},
		{"no_such_group", Request{Group: "no-group-of-this-name"}, `gid: there is no group "no-group-of-this-name"`},
		{"no_such_further_group", Request{Extra: []string{"no-group-of-this-name"}}, "add-gid: there is no group"},
		{"number_without_a_group", Request{User: "1987654321"}, "add gid"},
		{"negative", Request{User: "-1"}, `no user "-1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Lookup(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want an error with %q", err, tt.want)
			}
		})
	}
}

// A process that is not root is told so; one that is what it is to be goes on.
func TestAssumeWithoutRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("SKIP: this is root; cmd/uwsgo/e2e tests what root can do")
	}
	if err := (Identity{UID: os.Getuid(), GID: os.Getgid()}).Assume(); err != nil {
		t.Error(err)
	}
	if err := (Identity{UID: os.Getuid() + 1, GID: -1}).Assume(); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("another user: %v", err)
	}
	if err := (Identity{UID: -1, GID: os.Getgid() + 1}).Assume(); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("another group: %v", err)
	}
	if err := Chroot(t.TempDir()); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("chroot: %v", err)
	}
}

func TestOwner(t *testing.T) {
	for _, tt := range []struct {
		uid, gid int
		want     string
	}{{-1, -1, ""}, {33, -1, "33:"}, {-1, 44, ":44"}, {33, 44, "33:44"}, {0, 0, "0:0"}} {
		if got := (Identity{UID: tt.uid, GID: tt.gid}).owner(); got != tt.want {
			t.Errorf("user %d, group %d: %q, want %q", tt.uid, tt.gid, got, tt.want)
		}
	}
}
