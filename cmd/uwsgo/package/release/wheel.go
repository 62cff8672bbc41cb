package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// wheelMost bounds a wheel with the program in it, in bytes.
const wheelMost = 12_000_000

// wheel writes the wheel with the program. pip copies the program into bin.
func (r *release) wheel(b *build) error {
	w := newWheel("uwsgo", r.source)
	w.tags = platforms[b.target]
	if err := w.addTree(os.DirFS(filepath.Join(r.root, python)), "uwsgo", r.source); err != nil {
		return err
	}
	w.add(w.stem()+".data/scripts/uwsgo", b.content, 0o755)
	w.add(w.info()+"/sboms/uwsgo.cdx.json", b.materials, 0o644)
	return r.finishWheel(w, "uwsgo")
}

// nameWheel writes the wheel of the second distribution. It adds the command uwsgi.
func (r *release) nameWheel() error {
	w := newWheel("uwsgo-uwsgi", r.source)
	script, err := os.ReadFile(filepath.Join(r.root, python, "as_uwsgi", "uwsgi"))
	if err != nil {
		return err
	}
	w.add(w.stem()+".data/scripts/uwsgi", script, 0o755)
	return r.finishWheel(w, "as_uwsgi")
}

// python is the folder with the distributions' Python files.
const python = "cmd/uwsgo/package/python"

// finishWheel adds the files that describe the distribution, and writes the wheel.
func (r *release) finishWheel(w *wheel, folder string) error {
	metadata, err := r.metadata(folder)
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	w.add(w.info()+"/METADATA", metadata, 0o644)
	w.add(w.info()+"/licenses/LICENSE", licence, 0o644)
	content, err := w.pack()
	if err != nil {
		return err
	}
	if len(content) > wheelMost {
		return fmt.Errorf("%s has %d bytes, more than %d", w.name(), len(content), wheelMost)
	}
	return r.write(w.name(), content)
}

// metadata returns METADATA of a wheel or PKG-INFO of a source distribution. It joins the
// head and the README that the folder has.
func (r *release) metadata(folder string) ([]byte, error) {
	head, err := os.ReadFile(filepath.Join(r.root, python, folder, "METADATA"))
	if err != nil {
		return nil, err
	}
	readme, err := os.ReadFile(filepath.Join(r.root, python, folder, "README.md"))
	if err != nil {
		return nil, err
	}
	head = bytes.ReplaceAll(head, []byte(versionMark), []byte(r.source.version.python()))
	return slices.Concat(head, []byte("\n"), readme), nil
}

// versionMark stands for the version in files that are packed.
const versionMark = "@VERSION@"

// wheel is a wheel that is being written, as in PEP 427.
type wheel struct {
	distribution string
	version      string
	tags         []string // platforms; none for any
	when         time.Time
	files        []wheelFile
}

type wheelFile struct {
	name    string
	content []byte
	mode    fs.FileMode
}

func newWheel(distribution string, s source) *wheel {
	return &wheel{distribution: strings.ReplaceAll(distribution, "-", "_"), version: s.version.python(), when: s.when}
}

func (w *wheel) stem() string { return w.distribution + "-" + w.version }
func (w *wheel) info() string { return w.stem() + ".dist-info" }

func (w *wheel) platforms() []string {
	if len(w.tags) == 0 {
		return []string{"any"}
	}
	return w.tags
}

func (w *wheel) name() string {
	return w.stem() + "-py3-none-" + strings.Join(w.platforms(), ".") + ".whl"
}

func (w *wheel) add(name string, content []byte, mode fs.FileMode) {
	w.files = append(w.files, wheelFile{name, content, mode})
}

// addTree adds the Python files of a package.
func (w *wheel) addTree(from fs.FS, dir string, s source) error {
	return fs.WalkDir(from, dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return err
		}
		if ext := filepath.Ext(path); ext != ".py" && ext != ".typed" {
			return nil // METADATA and README
		}
		content, err := fs.ReadFile(from, path)
		w.add(path, bytes.ReplaceAll(content, []byte(versionMark), []byte(s.version.python())), 0o644)
		return err
	})
}

// pack returns the archive. The files that describe it are last, as PEP 427 advises.
func (w *wheel) pack() ([]byte, error) {
	pure := len(w.tags) == 0
	var head strings.Builder
	fmt.Fprintf(&head, "Wheel-Version: 1.0\nGenerator: uwsgo release\nRoot-Is-Purelib: %t\n", pure)
	for _, tag := range w.platforms() {
		head.WriteString("Tag: py3-none-" + tag + "\n")
	}
	w.add(w.info()+"/WHEEL", []byte(head.String()), 0o644)
	var record strings.Builder
	for _, f := range w.files {
		sum := sha256.Sum256(f.content)
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.content))
	}
	fmt.Fprintf(&record, "%s/RECORD,,\n", w.info())
	w.add(w.info()+"/RECORD", []byte(record.String()), 0o644)

	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.BestCompression) })
	for _, f := range w.files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: w.when}
		h.SetMode(f.mode)
		to, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := to.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}
