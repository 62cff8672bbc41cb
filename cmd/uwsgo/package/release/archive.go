package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tarball is an archive that is being written. All files have the same time and no owner.
type tarball struct {
	out  bytes.Buffer
	gz   *gzip.Writer
	tar  *tar.Writer
	when time.Time
}

func newTarball(when time.Time) *tarball {
	t := &tarball{when: when}
	t.gz, _ = gzip.NewWriterLevel(&t.out, gzip.BestCompression) // the level is valid, so there is no error
	t.tar = tar.NewWriter(t.gz)
	return t
}

func (t *tarball) add(name string, content []byte, mode fs.FileMode) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: int64(mode), ModTime: t.when, Format: tar.FormatUSTAR}
	if err := t.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := t.tar.Write(content)
	return err
}

func (t *tarball) pack() ([]byte, error) {
	if err := t.tar.Close(); err != nil {
		return nil, err
	}
	err := t.gz.Close()
	return t.out.Bytes(), err
}

// archive writes the program, its manual and completions, for installation by hand.
func (r *release) archive(b *build, extras []extra) error {
	stem := "uwsgo-" + r.source.version.String() + "-" + b.target.dashed()
	t := newTarball(r.source.when)
	if err := t.add(stem+"/uwsgo", b.content, 0o755); err != nil {
		return err
	}
	for _, e := range extras {
		if err := t.add(stem+"/"+e.archived, e.content, 0o644); err != nil {
			return err
		}
	}
	for _, name := range []string{"LICENSE", "README.md"} {
		content, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return err
		}
		if err := t.add(stem+"/"+name, content, 0o644); err != nil {
			return err
		}
	}
	content, err := t.pack()
	if err != nil {
		return err
	}
	return r.write(stem+".tar.gz", content)
}

// sdist writes the source distribution. pip takes it where there is no wheel. It does not
// contain the program, and says how to get it.
func (r *release) sdist() error {
	stem := "uwsgo-" + r.source.version.python()
	t := newTarball(r.source.when)
	metadata, err := r.metadata("uwsgo")
	if err != nil {
		return err
	}
	if err := t.add(stem+"/PKG-INFO", metadata, 0o644); err != nil {
		return err
	}
	for _, f := range []struct{ from, to string }{
		{python + "/sdist/pyproject.in", "pyproject.toml"},
		{python + "/sdist/no_wheel.py", "no_wheel.py"},
		{python + "/uwsgo/README.md", "README.md"},
		{python + "/uwsgo/__init__.py", "uwsgo/__init__.py"},
		{python + "/uwsgo/__main__.py", "uwsgo/__main__.py"},
		{python + "/uwsgo/py.typed", "uwsgo/py.typed"},
		{"LICENSE", "LICENSE"},
	} {
		content, err := os.ReadFile(filepath.Join(r.root, f.from))
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(content), versionMark, r.source.version.python())
		text = strings.ReplaceAll(text, "@TAG@", "v"+r.source.version.String())
		if err := t.add(stem+"/"+f.to, []byte(text), 0o644); err != nil {
			return err
		}
	}
	content, err := t.pack()
	if err != nil {
		return err
	}
	return r.write(stem+".tar.gz", content)
}
