package check

import (
	"fmt"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
)

// emperor checks an emperor, which has neither app nor address.
func (c *checker) emperor(in Input) {
	cfg := c.cfg
	if cfg.EmperorStats != "" {
		c.addresses()
	}
	if in.FileAlone {
		return
	}
	p, _ := c.place()
	if cfg.Emperor.Tyrant && c.m.UID != 0 {
		c.at(Error, Users, "emperor-tyrant", fmt.Sprintf("only root can become the owner of each file, and this is user %d: check it as root, or leave it out", c.m.UID))
	}
	c.paths(p)
	if cfg.EmperorPid != "" {
		c.written(jailed, "emperor-pidfile", cfg.EmperorPid, under(p.Home, cfg.EmperorPid), p.First, false)
	}
	c.bind(p)
	for _, value := range cfg.Emperor.Monitors {
		c.vassals(value, p)
	}
}

// vassals checks what one value of emperor finds.
func (c *checker) vassals(value string, p Place) {
	where := c.where("emperor", value)
	files, err := c.m.Vassals(value, p.Dir, c.cfg.Emperor.Finding)
	switch {
	case err != nil:
		c.tell(Warning, Paths, where, err.Error()+": no server is started until it can be read")
		return
	case len(files) == 0:
		c.tell(Note, Paths, where, value+": there is no vassal yet: its name ends in .ini, .yml, .yaml, .json, .js or .xml, or in what emperor-extra-extension says")
		return
	}
	roots := 0
	for _, f := range files {
		if c.cfg.Emperor.Tyrant && (f.UID == 0 || f.GID == 0) {
			roots++
		}
	}
	if roots > 0 {
		c.tell(Warning, Users, c.where("emperor-tyrant", ""), fmt.Sprintf("%d of the files of %s belong to root or its group, and are not run: chown them to the user that is meant", roots, value))
	}
	c.tell(Note, Paths, where, fmt.Sprintf("vassals found at %s: %d; each is a configuration of its own: check them with uwsgo check FILE...", value, len(files)))
}

// isEmperor reports whether a configuration makes an emperor.
func isEmperor(cfg *config.Config) bool { return len(cfg.Emperor.Monitors) > 0 }
