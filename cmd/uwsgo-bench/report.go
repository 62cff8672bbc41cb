package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/uwsgo/uwsgo/bench/report"
	"github.com/uwsgo/uwsgo/bench/result"
)

// The files in a report's directory.
const (
	resultsFile  = "results.json"
	markdownFile = "report.md"
	pageFile     = "report.html"
)

// write writes the whole report of r into dir.
func write(dir string, r *result.Run) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		report.WriteJSON(filepath.Join(dir, resultsFile), r),
		writeFile(filepath.Join(dir, markdownFile), r, report.Markdown),
		writeFile(filepath.Join(dir, pageFile), r, report.HTML),
	)
}

func writeFile(path string, r *result.Run, print func(io.Writer, *result.Run) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(print(f, r), f.Close())
}

// remake makes a report from earlier results.
func remake(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	markdown := flags.String("markdown", "", "write the Markdown report to this `file`")
	page := flags.String("html", "", "write the HTML report to this `file`")
	before := flags.String("before", "", "print a table of before and after, as Markdown: this `server` is an earlier uwsgo")
	against := flags.String("against", "granian", "with -before, the `server` to compare both with")
	if err := parse(flags, stderr, args, "report [flags] results.json"); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usageError{errors.New("report: name one results.json")}
	}
	r, err := report.ReadJSON(flags.Arg(0))
	if err != nil {
		return usageError{err}
	}
	if *before != "" {
		return report.Before(stdout, r, *before, *against)
	}
	if *markdown != "" {
		err = writeFile(*markdown, r, report.Markdown)
	}
	if *page != "" {
		err = errors.Join(err, writeFile(*page, r, report.HTML))
	}
	if *markdown == "" && *page == "" {
		return report.Table(stdout, r)
	}
	return err
}

// compare prints what changed between two results.
func compare(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	threshold := flags.Float64("threshold", 5, "`percent` by which something must have got worse to count")
	base := flags.String("base", "", "compare ratios to this `server` instead of values: what the machine does differently cancels out")
	if err := parse(flags, stderr, args, "compare [flags] old.json new.json"); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return usageError{errors.New("compare: name two results.json, the older first")}
	}
	if !(*threshold >= 0 && *threshold <= 1000) { // also not a number
		return usageError{fmt.Errorf("compare: -threshold must be 0 to 1000 per cent, not %g", *threshold)}
	}
	older, err := report.ReadJSON(flags.Arg(0))
	if err != nil {
		return usageError{err}
	}
	newer, err := report.ReadJSON(flags.Arg(1))
	if err != nil {
		return usageError{err}
	}
	worse, err := report.Compare(stdout, older, newer, *threshold/100, *base)
	if err != nil {
		return usageError{fmt.Errorf("compare: %w", err)}
	}
	if worse > 0 {
		return fmt.Errorf("%w: %d", errWorse, worse)
	}
	return nil
}
