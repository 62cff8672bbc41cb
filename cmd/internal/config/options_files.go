package config

import (
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/header"
)

// FileConfig says which files are served, and what all responses get.
type FileConfig struct {
	StaticMaps  []StaticMap
	CheckStatic []string // directories
	StaticIndex []string // file names
	StaticSkip  []string // ends of names of files that are not served
	StaticSafe  []string // directories that links may lead to
	AddHeader   []string // "Name: value" for every response
	RemHeader   []string // names of headers that no response gets
	Compress    bool
	HTTPGzip    bool // compress what the app marks with uWSGI-Encoding: gzip
}

// StaticMap serves the files of a directory, or one file, below a path.
type StaticMap struct {
	Prefix     string
	Path       string
	KeepPrefix bool // it is part of the file's name
}

// HasFiles reports whether there are files to serve.
func (c *FileConfig) HasFiles() bool {
	return len(c.StaticMaps) > 0 || len(c.CheckStatic) > 0
}

var fileRows = []row{
	{
		Option: option.Option{
			Name: "static-map", Kind: option.List, Arg: "/PREFIX=DIR", Status: option.Differs,
			Help: "serve files: paths below the prefix come from this directory or file",
			Note: "The prefix matches whole path segments, so `/st` does not serve `/static`.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.staticMap(e, false) },
	},
	{
		Option: option.Option{
			Name: "check-static", Aliases: []string{"static-check"}, Kind: option.List, Arg: "DIR", Status: option.Same,
			Help: "serve a file of this directory when the request's path names one",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.CheckStatic, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "static-index", Kind: option.List, Arg: "NAME", Status: option.Same,
			Help: "serve this file for a directory",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.StaticIndex, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "static-map2", Kind: option.List, Arg: "/PREFIX=DIR", Status: option.Differs,
			Help: "the same as static-map, but the prefix belongs to the file's name, too",
			Note: "As for `static-map`.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.staticMap(e, true) },
	},
	{
		Option: option.Option{
			Name: "static-skip-ext", Kind: option.List, Arg: ".EXT", Status: option.Differs,
			Help: "serve no files whose names end so, such as .py; the app gets their requests",
			Note: "In upper and lower case; the name that is asked for counts as well as the one that a link leads to.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return addText(&r.StaticSkip, e, "the end of a name, such as .py")
		},
	},
	{
		Option: option.Option{
			Name: "static-safe", Kind: option.List, Arg: "DIR", Status: option.Differs,
			Help: "serve what links in a directory of static files lead to, if it is in this one",
			Note: "The directory itself has to be above, not only the beginning of a name.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.StaticSafe, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "add-header", Kind: option.List, Arg: "NAME: VALUE", Status: option.Differs,
			Help: "add this header to every response, files and errors included",
			Note: "`Connection: close` closes, other values for Connection do nothing. What is no header, and one that says how long the body is, ends the start.",
		},
		set: (*resolver).addHeader,
	},
	{
		Option: option.Option{
			Name: "rem-header", Aliases: []string{"del-header"}, Kind: option.List, Arg: "NAME", Status: option.Same,
			Help: "leave this header out of every response, except where add-header adds it",
		},
		set: (*resolver).remHeader,
	},
	{
		Option: option.Option{
			Name: "compress", Kind: option.Flag, Status: option.Own,
			Help: "compress responses for clients that accept it",
			Note: "uWSGI has a log encoder of this name, but no option.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Compress, e) },
	},
	{
		Option: option.Option{
			Name: "http-auto-gzip", Kind: option.Flag, Status: option.Same,
			Help: "compress a response when the app sends the header uWSGI-Encoding: gzip",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.HTTPGzip, e) },
	},
}

func (r *resolver) staticMap(e ini.Entry, keep bool) error {
	prefix, path, err := pair(e, "/prefix=directory")
	if err != nil {
		return err
	}
	if path == "" {
		return e.Origin.Errorf(e.Key, "%q names no directory for the path", e.Value)
	}
	r.StaticMaps = append(r.StaticMaps, StaticMap{Prefix: prefix, Path: path, KeepPrefix: keep})
	return nil
}

// addHeader reads a header, and remHeader the name of one.
func (r *resolver) addHeader(e ini.Entry) error {
	if _, err := header.New(nil, header.Options{Add: []string{e.Value}}); err != nil {
		return e.Origin.Errorf(e.Key, "%w: write it like X-Frame-Options: DENY", err)
	}
	r.AddHeader = append(r.AddHeader, e.Value)
	return nil
}

func (r *resolver) remHeader(e ini.Entry) error {
	name := strings.TrimSpace(strings.TrimSuffix(e.Value, ":"))
	if _, err := header.New(nil, header.Options{Remove: []string{name}}); err != nil {
		return e.Origin.Errorf(e.Key, "%w: write it like X-Powered-By", err)
	}
	r.RemHeader = append(r.RemHeader, name)
	return nil
}
