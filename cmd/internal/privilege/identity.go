// Package privilege gives up root: it finds the user and group of uid and gid and becomes that
// user, as uWSGI does, for the whole process.
package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Request is what the options ask for. The zero value asks for nothing.
type Request struct {
	User         string   // uid: a name or a number
	Group        string   // gid: a name or a number; without one it is the user's own group
	Extra        []string // add-gid: further groups
	NoInitgroups bool     // leave out the groups that the user is a member of
}

// Identity is the user and the groups that a process takes. -1 changes nothing.
type Identity struct {
	UID, GID int
	Groups   []int // supplementary ones
}

// Lookup returns the identity of r. Its errors name the option. Call it before a chroot, because it
// reads the lists of users and groups.
func Lookup(r Request) (Identity, error) {
	id := Identity{UID: -1, GID: -1}
	var account *user.User
	if r.User != "" {
		var err error
		if id.UID, account, err = findUser(word(r.User)); err != nil {
			return id, err
		}
	}
	switch {
	case r.Group != "":
		gid, err := findGroup("gid", word(r.Group))
		if err != nil {
			return id, err
		}
		id.GID = gid
	case account != nil:
		// uWSGI leaves the group alone here, and with it root's.
		gid, err := strconv.Atoi(account.Gid)
		if err != nil {
			return id, fmt.Errorf("uid: the group of user %s is %q, which is no number", account.Username, account.Gid)
		}
		id.GID = gid
	case id.UID > 0:
		return id, fmt.Errorf("uid: no user has the number %d, so its group is not known: add gid", id.UID)
	}
	if account != nil && !r.NoInitgroups {
		ids, err := account.GroupIds()
		if err != nil {
			return id, fmt.Errorf("uid: cannot tell the groups of user %s: %w; add no-initgroups to go without them", account.Username, err)
		}
		for _, s := range ids {
			if gid, err := strconv.Atoi(s); err == nil {
				id.Groups = append(id.Groups, gid)
			}
		}
	}
	for _, name := range r.Extra {
		gid, err := findGroup("add-gid", word(name))
		if err != nil {
			return id, err
		}
		id.Groups = append(id.Groups, gid)
	}
	slices.Sort(id.Groups)
	id.Groups = slices.Compact(id.Groups)
	return id, nil
}

// word returns a value without what follows the name or number: "33 ; the web server".
func word(value string) string {
	if f := strings.Fields(value); len(f) > 0 {
		return f[0]
	}
	return value
}

// findUser returns the number and, if there is one, the entry of a user.
func findUser(name string) (int, *user.User, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		account, err := user.LookupId(name)
		if err != nil {
			return int(n), nil, nil // numbers need no name, as in containers
		}
		return int(n), account, nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return 0, nil, fmt.Errorf("uid: there is no user %q on this system", name)
	}
	n, err := strconv.Atoi(account.Uid)
	if err != nil {
		return 0, nil, fmt.Errorf("uid: user %s has the number %q, which is none", name, account.Uid)
	}
	return n, account, nil
}

func findGroup(option, name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("%s: there is no group %q on this system", option, name)
	}
	n, err := strconv.Atoi(group.Gid)
	if err != nil {
		return 0, fmt.Errorf("%s: group %s has the number %q, which is none", option, name, group.Gid)
	}
	return n, nil
}

// Owner returns who gets unix sockets when no option names an owner: the user that the process
// becomes, as USER:GROUP in numbers. It is empty where that is the maker of the socket anyway.
func (id Identity) Owner() string {
	if os.Geteuid() != 0 {
		return ""
	}
	return id.owner()
}

func (id Identity) owner() string {
	if id.UID < 0 && id.GID < 0 {
		return ""
	}
	part := func(n int) string {
		if n < 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	return part(id.UID) + ":" + part(id.GID)
}

// Assume makes all threads of the process, and what it starts from now on, run as id. A process
// that is not root can only become what it is; its groups then stay.
func (id Identity) Assume() error {
	if os.Geteuid() != 0 {
		switch {
		case id.UID >= 0 && id.UID != os.Getuid():
			return fmt.Errorf("uid: only root can become user %d, and this is user %d: start it as root, or leave out uid and gid and start it as the user that is meant", id.UID, os.Getuid())
		case id.GID >= 0 && id.GID != os.Getgid():
			return fmt.Errorf("gid: only root can become group %d, and this is group %d: start it as root, or leave out gid", id.GID, os.Getgid())
		}
		return nil
	}
	if id.UID < 0 && id.GID < 0 && len(id.Groups) == 0 {
		return nil
	}
	if err := syscall.Setgroups(id.Groups); err != nil {
		return explain("set the groups", err)
	}
	if id.GID >= 0 {
		if err := syscall.Setgid(id.GID); err != nil {
			return explain(fmt.Sprintf("become group %d", id.GID), err)
		}
	}
	if id.UID >= 0 {
		if err := syscall.Setuid(id.UID); err != nil {
			return explain(fmt.Sprintf("become user %d", id.UID), err)
		}
	}
	return nil
}

func explain(what string, err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("uid: this root may not %s: it lacks a capability (CAP_SETUID, CAP_SETGID): %w", what, err)
	}
	return fmt.Errorf("uid: cannot %s: %w", what, err)
}

// Chroot makes dir the root and the current directory of the process.
func Chroot(dir string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("chroot: only root can do that, and this is user %d: start it as root", os.Getuid())
	}
	err := syscall.Chroot(dir)
	if err == nil {
		err = syscall.Chdir("/")
	}
	if err != nil {
		return fmt.Errorf("chroot: %s: %w", dir, err)
	}
	return nil
}
