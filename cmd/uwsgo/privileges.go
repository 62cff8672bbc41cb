package main

import (
	"fmt"
	"os"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// identify finds the user that the server becomes, and becomes that user at once if the options
// ask for that. It needs no log.
func identify(cfg *config.Config) (privilege.Identity, error) {
	user, err := privilege.Lookup(privilege.Request{
		User: cfg.UID, Group: cfg.GID, Extra: cfg.AddGID, NoInitgroups: cfg.NoInitgroups,
	})
	if err == nil && cfg.ImmediateDrop {
		err = user.Assume()
	}
	return user, err
}

// dropPrivileges enters the new root and becomes the user of uid and gid. From here on nothing
// runs as root unless the options ask for it.
func dropPrivileges(s *site, user privilege.Identity, logf func(format string, args ...any)) error {
	root := s.cfg.Chroot
	if root != "" {
		if err := privilege.Chroot(root); err != nil {
			return err
		}
		logf("chroot() to %s", root)
	}
	was := os.Geteuid()
	if err := user.Assume(); err != nil {
		return err
	}
	if was == 0 {
		if user.GID >= 0 {
			logf("setgid() to %d", user.GID)
		}
		if len(user.Groups) > 0 {
			logf("further groups: %s", groupList(user.Groups))
		}
		if user.UID >= 0 {
			logf("setuid() to %d", user.UID)
		}
	}
	if root == "" {
		return nil
	}
	return s.chdir()
}

func groupList(ids []int) string {
	text := fmt.Sprint(ids)
	return text[1 : len(text)-1]
}
