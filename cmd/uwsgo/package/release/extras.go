package main

import (
	"bytes"
	"compress/gzip"
	"io"

	"github.com/uwsgo/uwsgo/cmd/internal/manual"
)

// extra is a file that belongs to the program: its manual, or completions for a shell.
type extra struct {
	archived string // its place in the archive
	content  []byte
}

// extras makes these files from the table of options.
func (r *release) extras() ([]extra, error) {
	page := manual.Page{Version: r.source.version.String(), Date: r.source.when}
	var man bytes.Buffer
	if err := page.Write(&man); err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	gz, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := gz.Write(man.Bytes()); err != nil {
		return nil, err
	}
	if err := gz.Close(); err != nil {
		return nil, err
	}
	made := []extra{{"man/uwsgo.1.gz", packed.Bytes()}}
	for _, shell := range []struct {
		file  string
		write func(io.Writer) error
	}{
		{"completions/uwsgo.bash", manual.Bash},
		{"completions/_uwsgo", manual.Zsh},
		{"completions/uwsgo.fish", manual.Fish},
	} {
		var b bytes.Buffer
		if err := shell.write(&b); err != nil {
			return nil, err
		}
		made = append(made, extra{shell.file, b.Bytes()})
	}
	return made, nil
}
