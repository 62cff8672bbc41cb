package main

import (
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/header"
	"github.com/uwsgo/uwsgo/handler/static"
)

// staticFiles says which files are served.
func (s *site) staticFiles() static.Options {
	cfg := s.cfg
	o := static.Options{
		Check: s.under(cfg.CheckStatic...), DocumentRoot: cfg.DocRoot, Index: cfg.StaticIndex, Listing: cfg.StaticList,
		SkipExt: cfg.StaticSkip, Safe: s.under(cfg.StaticSafe...), Siblings: cfg.Siblings, Expires: cfg.Expires,
		Immutable: cfg.Immutable, MimeFiles: s.under(cfg.MimeFiles...),
	}
	o.Maps, o.Fallback = s.fileMaps(cfg.StaticMaps), s.fileMaps(cfg.Fallbacks)
	if cfg.Static404 != "" {
		o.NotFound = s.under(cfg.Static404)[0]
	}
	for _, m := range cfg.Mounts {
		if strings.Trim(m.Prefix, "/") != "" {
			o.FallbackExcept = append(o.FallbackExcept, m.Prefix)
		}
	}
	return o
}

// appFiles says which files apps may name.
func (s *site) appFiles() static.SenderOptions {
	return static.SenderOptions{Folders: s.under(s.cfg.XSendfile...), Maps: s.fileMaps(s.cfg.XAccel), MimeFiles: s.under(s.cfg.MimeFiles...)}
}

func (s *site) fileMaps(list []config.StaticMap) (maps []static.Map) {
	for _, m := range list {
		maps = append(maps, static.Map{Prefix: m.Prefix, Path: s.under(m.Path)[0], KeepPrefix: m.KeepPrefix})
	}
	return maps
}

// everyAnswer changes the headers of all answers; nil changes none.
func everyAnswer(cfg *config.Config) (func(*engine.Exchange), error) {
	if len(cfg.AddHeader)+len(cfg.RemHeader) == 0 {
		return nil, nil
	}
	h, err := header.New(nil, header.Options{Add: cfg.AddHeader, Remove: cfg.RemHeader})
	if err != nil {
		return nil, err
	}
	return h.Push, nil
}
