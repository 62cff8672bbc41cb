package config

import (
	"regexp"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/header"
	"github.com/uwsgo/uwsgo/handler/route"
	"github.com/uwsgo/uwsgo/handler/static"
)

// FileConfig says which files are served, and what all responses get.
type FileConfig struct {
	StaticMaps  []StaticMap
	CheckStatic []string // directories
	StaticIndex []string // file names
	StaticSkip  []string // ends of names of files that are not served
	StaticSafe  []string // directories that links may lead to
	DocRoot     bool     // serve files of the DOCUMENT_ROOT that the front server names
	StaticList  bool     // answer for directories with what is in them
	Static404   string   // a file
	Fallbacks   []StaticMap
	Siblings    static.Siblings
	Expires     []static.Expires
	Immutable   static.Matcher
	MimeFiles   []string
	XSendfile   []string    // directories of the files that apps name
	XAccel      []StaticMap // likewise, by paths
	DiskThreads int         // 0 for the server's choice
	AddHeader   []string    // "Name: value" for every response
	RemHeader   []string    // names of headers that no response gets
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
	return len(c.StaticMaps) > 0 || len(c.CheckStatic) > 0 || c.DocRoot || len(c.Fallbacks) > 0
}

var fileRows = []row{
	{
		Option: option.Option{
			Name: "static-map", Kind: option.List, Arg: "/PREFIX=DIR", Status: option.Differs,
			Help: "serve the paths below a prefix from this directory or file",
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
			Help: "the same as static-map, but the prefix is part of the file's name",
			Note: "As for `static-map`.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.staticMap(e, true) },
	},
	{
		Option: option.Option{
			Name: "static-skip-ext", Kind: option.List, Arg: ".EXT", Status: option.Differs,
			Help: "serve no file whose name ends so, such as .py; the app gets its requests",
			Note: "Case does not matter. The requested name counts, and so does the target of a link.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return addText(&r.StaticSkip, e, "the end of a name, such as .py")
		},
	},
	{
		Option: option.Option{
			Name: "static-safe", Kind: option.List, Arg: "DIR", Status: option.Differs,
			Help: "follow links in a directory of static files if they lead into this directory",
			Note: "It must be a directory above the file, not only the beginning of a name.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.StaticSafe, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "check-static-docroot", Kind: option.Flag, Status: option.Same,
			Help: "serve a file below the DOCUMENT_ROOT of the web server in front when the request's path names one",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.DocRoot, e) },
	},
	{
		Option: option.Option{
			Name: "static-list", Kind: option.Flag, Status: option.Own,
			Help: "list the files of a directory that has no static-index",
			Note: "Names with a dot in front, links, and the names of static-skip-ext are left out.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.StaticList, e) },
	},
	{
		Option: option.Option{
			Name: "static-404", Kind: option.Text, Arg: "FILE", Status: option.Own,
			Help: "answer 404 with this file when a path below a static-map names no file; without it the app gets the request",
			Note: "For answers of the app see `error-route-status`.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Static404, e, "a file") },
	},
	{
		Option: option.Option{
			Name: "static-fallback", Kind: option.List, Arg: "/PREFIX=FILE", Status: option.Own,
			Help: "answer with this file for pages below the prefix that are no file, as apps that run in the browser need it",
			Note: "It holds for GET and HEAD of clients that accept HTML, if the last part of the path has no dot. Paths below a mount that is longer than the prefix go to its app.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.prefixed(&r.Fallbacks, e, "file", false) },
	},
	{
		Option: option.Option{
			Name: "static-gzip-all", Kind: option.Flag, Status: option.Differs,
			Help: "answer with FILE.br, FILE.zst or FILE.gz instead of a static FILE if it exists and the client accepts it",
			Note: noteSiblings,
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Siblings.All, e) },
	},
	{
		Option: option.Option{
			Name: "static-gzip-dir", Aliases: []string{"static-gzip-prefix"}, Kind: option.List, Arg: "DIR", Status: option.Differs,
			Help: "the same only for files whose full names begin so",
			Note: "As for `static-gzip-all`.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Siblings.Folders, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "static-gzip-ext", Aliases: []string{"static-gzip-suffix"}, Kind: option.List, Arg: ".EXT", Status: option.Differs,
			Help: "the same only for files whose names end so",
			Note: "As for `static-gzip-all`.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return addText(&r.Siblings.Ends, e, "the end of a name, such as .css")
		},
	},
	{
		Option: option.Option{
			Name: "static-gzip", Kind: option.List, Arg: "PATTERN", Status: option.Differs,
			Help: "the same only for files whose full names match",
			Note: "As for `static-gzip-all`. Patterns are Go's (RE2).",
		},
		set: func(r *resolver, e ini.Entry) error {
			p, err := filePattern(e, e.Value)
			r.Siblings.Patterns = append(r.Siblings.Patterns, p)
			return err
		},
	},
	expiresRow("static-expires", "PATTERN SECONDS", "whose full names match", static.ByFile, false),
	expiresRow("static-expires-mtime", "PATTERN SECONDS", "whose full names match, from their last change on", static.ByFile, true),
	expiresRow("static-expires-path-info", "PATTERN SECONDS", "where the path of the request matches", static.ByPath, false),
	expiresRow("static-expires-path-info-mtime", "PATTERN SECONDS", "where the path of the request matches, from the file's last change on", static.ByPath, true),
	expiresRow("static-expires-uri", "PATTERN SECONDS", "where the path and query of the request match", static.ByURI, false),
	expiresRow("static-expires-uri-mtime", "PATTERN SECONDS", "where the path and query of the request match, from the file's last change on", static.ByURI, true),
	expiresRow("static-expires-type", "TYPE=SECONDS", "of this Content-Type", static.ByType, false),
	expiresRow("static-expires-type-mtime", "TYPE=SECONDS", "of this Content-Type, from their last change on", static.ByType, true),
	{
		Option: option.Option{
			Name: "x-sendfile", Kind: option.List, Arg: "DIR", Status: option.Own,
			Help: "send the file that an app names in X-Sendfile if it is in this directory; without this option the header goes to the web server in front",
			Note: "The app's headers about the content stay; length, ranges, validators and conditions are the file's. A file outside of these directories gets 404.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.XSendfile, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "x-accel-redirect", Kind: option.List, Arg: "/PREFIX=DIR", Status: option.Own,
			Help: "send the file that an app names in X-Accel-Redirect by a path below the prefix; without this option the header goes to the web server in front",
			Note: "As for `x-sendfile`. It does what an internal location with an alias does in nginx.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.prefixed(&r.XAccel, e, "directory", false) },
	},
	{
		Option: option.Option{
			Name: "static-immutable", Kind: option.Text, Arg: "PATTERN", Status: option.Own,
			Help: "let clients keep static files whose names match for a year without a check; true means names with a hash, as bundlers and Django make them",
			Note: "`Cache-Control: public, max-age=31536000, immutable`. The name without its directories counts.",
		},
		set: func(r *resolver, e ini.Entry) error {
			switch strings.ToLower(e.Value) {
			case "", "true", "on", "yes", "1":
				r.Immutable = static.HashedNames
				return nil
			case "false", "off", "no", "0":
				r.Immutable = nil
				return nil
			}
			p, err := filePattern(e, e.Value)
			if err == nil {
				r.Immutable = p
			}
			return err
		},
	},
	{
		Option: option.Option{
			Name: "mimefile", Aliases: []string{"mime-file"}, Kind: option.List, Arg: "FILE", Status: option.Differs,
			Help: "read the types of static files from this file instead of /etc/mime.types",
			Note: "The types of the web are built in; this file overrides them.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.MimeFiles, e, "a file") },
	},
	{
		Option: option.Option{
			Name: "offload-threads", Aliases: []string{"offload-thread"}, Kind: option.Int, Arg: "N", Default: "8", Status: option.Differs,
			Help: "let N goroutines wait for disks: for files that are not in memory, and to store large bodies",
			Note: "In uWSGI each worker has N threads that send answers; here answers never hold a worker. 0 means the default.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.DiskThreads, e, 1024) },
	},
	{
		Option: option.Option{
			Name: "add-header", Kind: option.List, Arg: "NAME: VALUE", Status: option.Differs,
			Help: "add this header to every response, files and errors included",
			Note: "`Connection: close` closes; other values of Connection do nothing. A malformed header, or one about the length of the body, ends the start.",
		},
		set: (*resolver).addHeader,
	},
	{
		Option: option.Option{
			Name: "rem-header", Aliases: []string{"del-header"}, Kind: option.List, Arg: "NAME", Status: option.Same,
			Help: "remove this header from every response, unless add-header adds it",
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

const noteSiblings = "The client's weights decide, then the order br, zstd, gzip; uWSGI only looks whether the name occurs, and has no zstd. Each coding has an ETag of its own, and the answer has `Vary`."

// filePattern compiles a pattern for names of files.
func filePattern(e ini.Entry, pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, e.Origin.Errorf(e.Key, "it needs a pattern such as \\.css$")
	}
	re, err := route.Regexp(pattern)
	if err != nil {
		return nil, e.Origin.Errorf(e.Key, "%w", err)
	}
	return re, nil
}

// expiresRow is an option of the static-expires family.
func expiresRow(name, arg, which string, by static.ExpiresBy, modified bool) row {
	note := "The first that fits counts, in uWSGI's order: file, path-info, uri, type (uWSGI sends one header for each). Also with 304."
	if by != static.ByType {
		note += " Patterns are Go's (RE2)."
	}
	return row{
		Option: option.Option{
			Name: name, Kind: option.List, Arg: arg, Status: option.Differs,
			Help: "send an Expires header, so many seconds ahead, with static files " + which, Note: note,
		},
		set: func(r *resolver, e ini.Entry) error {
			x := static.Expires{By: by, Modified: modified}
			sep := " "
			if by == static.ByType {
				sep = "="
			}
			what, after, ok := strings.Cut(e.Value, sep)
			if !ok || what == "" {
				return e.Origin.Errorf(e.Key, "%q is not of the form %s", e.Value, arg)
			}
			var err error
			if x.After, err = secondsIn(e, after); err != nil {
				return err
			}
			if x.Type = what; by != static.ByType {
				x.Type = ""
				if x.Pattern, err = filePattern(e, what); err != nil {
					return err
				}
			}
			r.Expires = append(r.Expires, x)
			return nil
		},
	}
}

func (r *resolver) staticMap(e ini.Entry, keep bool) error {
	return r.prefixed(&r.StaticMaps, e, "directory", keep)
}

func (r *resolver) prefixed(to *[]StaticMap, e ini.Entry, what string, keep bool) error {
	prefix, path, err := pair(e, "/prefix="+what)
	if err != nil {
		return err
	}
	if path == "" {
		return e.Origin.Errorf(e.Key, "%q names no %s for the path", e.Value, what)
	}
	*to = append(*to, StaticMap{Prefix: prefix, Path: path, KeepPrefix: keep})
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
