package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// identify finds out whom the server is to become, and becomes it at once if that is
// asked for. It needs no log.
func (p *program) identify() error {
	cfg := p.cfg
	var err error
	p.identity, err = privilege.Lookup(privilege.Request{
		User: cfg.UID, Group: cfg.GID, Extra: cfg.AddGID, NoInitgroups: cfg.NoInitgroups,
	})
	if err != nil {
		return err
	}
	if cfg.ImmediateDrop {
		return p.identity.Assume()
	}
	return nil
}

// owner is who gets unix sockets if nobody else is named: the user that the server
// becomes, as if that user had made them. It is empty where that is the maker anyway.
func (p *program) owner() string {
	if os.Geteuid() != 0 || p.identity.UID < 0 && p.identity.GID < 0 {
		return ""
	}
	part := func(id int) string {
		if id < 0 {
			return ""
		}
		return strconv.Itoa(id)
	}
	return part(p.identity.UID) + ":" + part(p.identity.GID)
}

// dropPrivileges enters the new root and becomes the user of uid and gid. From here on
// nothing runs as root that was not asked to.
func (p *program) dropPrivileges() error {
	if dir := p.cfg.Chroot; dir != "" {
		if err := privilege.Chroot(dir); err != nil {
			return err
		}
		p.log.Printf("chroot() to %s", dir)
	}
	was := os.Geteuid()
	if err := p.identity.Assume(); err != nil {
		return err
	}
	if was == 0 {
		if p.identity.GID >= 0 {
			p.log.Printf("setgid() to %d", p.identity.GID)
		}
		if len(p.identity.Groups) > 0 {
			p.log.Printf("further groups: %s", groupList(p.identity.Groups))
		}
		if p.identity.UID >= 0 {
			p.log.Printf("setuid() to %d", p.identity.UID)
		}
	}
	if p.cfg.Chroot == "" {
		return nil
	}
	return p.site.chdir()
}

func groupList(ids []int) string {
	text := fmt.Sprint(ids)
	return text[1 : len(text)-1]
}
