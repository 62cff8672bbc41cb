package config

import (
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// row is one option: its documentation, the reader of its value, and when a change holds. The rows
// are in the files options_*.go, each file with its part of Config and its defaults.
type row struct {
	option.Option
	set   setter
	holds holds
}

// setter gives a configuration the value of an entry. Aliases share it: e.Key is the name as
// written. It is nil for a directive, which package ini obeys.
type setter func(r *resolver, e ini.Entry) error

// holds says when a changed value holds in a running server.
type holds uint8

const (
	atRestart holds = iota // after a restart, or a replacement of the binary
	atReload               // also for the workers of the next reload
	never                  // for what has no value
)

// tables are all rows by section, and what settles values that depend on each other after all are
// read, in this order.
var tables = []struct {
	section option.Section
	rows    []row
	settle  func(*resolver) error
}{
	{option.Listening, listeningRows, (*resolver).settleListening},
	{option.Listening, tlsRows, (*resolver).settleTLS},
	{option.Application, applicationRows, (*resolver).settleHosts},
	{option.Python, pythonRows, nil},
	{option.Processes, processRows, (*resolver).settleProcesses},
	{option.Processes, cheaperRows, (*resolver).settleCheaper},
	{option.Processes, harakiriRows, (*resolver).settleHarakiri},
	{option.Processes, recyclingRows, (*resolver).settleRecycling},
	{option.Processes, lifeRows, (*resolver).settleLife},
	{option.Processes, muleRows, (*resolver).settleMules},
	{option.Processes, storeRows, (*resolver).settleStores},
	{option.Logging, alarmRows, (*resolver).settleAlarms},
	{option.Logging, metricRows, (*resolver).settleMetrics},
	{option.Processes, spoolerRows, (*resolver).settleSpooler},
	{option.System, systemRows, (*resolver).settleSystem},
	{option.System, companionRows, (*resolver).settleCrons},
	{option.System, nameRows, nil},
	{option.System, hookRows, nil},
	{option.Requests, routingRows, (*resolver).settleRoutes},
	{option.Requests, proxyRows, (*resolver).settleUpstreams},
	{option.Requests, requestRows, (*resolver).settleRequests},
	{option.Files, fileRows, nil},
	{option.Files, cacheRows, (*resolver).settleCache},
	{option.Emperor, emperorRows, (*resolver).settleEmperor},
	{option.Logging, loggingRows, nil},
	{option.Logging, statsRows, nil},
	{option.Configuration, directiveRows(), nil},
	{option.Configuration, readingRows, nil},
}

// defaults has the default values.
func defaults() *Config {
	return &Config{
		ListenConfig:    listenDefaults,
		TLSConfig:       tlsDefaults,
		AppConfig:       appDefaults,
		ProcessConfig:   processDefaults,
		RecyclingConfig: recyclingDefaults,
		LifeConfig:      lifeDefaults,
		MuleConfig:      muleDefaults,
		SpoolerConfig:   spoolerDefaults,
		SystemConfig:    systemDefaults,
		RequestConfig:   requestDefaults,
		LogConfig:       logDefaults,
		AlarmConfig:     alarmDefaults,
		MetricConfig:    metricDefaults,
		EmperorConfig:   emperorDefaults,
	}
}

// Options are all options of uwsgo, and the names that it knows.
var Options = func() *option.Table {
	var options []option.Option
	for _, t := range tables {
		for _, r := range t.rows {
			r.Section = t.section
			options = append(options, r.Option)
		}
	}
	return option.NewTable(options...)
}()

// rowOf finds the row of an option by its own name.
var rowOf = func() map[string]*row {
	found := map[string]*row{}
	for _, t := range tables {
		for i := range t.rows {
			found[t.rows[i].Name] = &t.rows[i]
		}
	}
	return found
}()

// directiveRows are the directives of package ini. Most have acted before options are resolved.
func directiveRows() (rows []row) {
	late := map[string]setter{
		"ini-paste": (*resolver).iniPaste,
		"inherit":   func(r *resolver, e ini.Entry) error { return r.list.Inherit(e) },
		"strict":    (*resolver).always, "allow-remote-config": (*resolver).always,
	}
	for _, o := range ini.Directives() {
		rows = append(rows, row{Option: o, set: late[o.Name]})
	}
	return rows
}

// The setters that most options need.

func setText(to *string, e ini.Entry, what string) error {
	s, err := text(e, what)
	if err == nil {
		*to = s
	}
	return err
}

func addText(to *[]string, e ini.Entry, what string) error {
	s, err := text(e, what)
	if err == nil {
		*to = append(*to, s)
	}
	return err
}

func setNumber[N int | int64](to *N, e ini.Entry, limit int64) error {
	n, err := number(e, limit)
	if err == nil {
		*to = N(n)
	}
	return err
}

func setPercent(to *int, e ini.Entry, limit int64) error {
	n, err := percent(e, limit)
	if err == nil {
		*to = int(n)
	}
	return err
}

func setSeconds(to *time.Duration, e ini.Entry) error {
	d, err := seconds(e)
	if err == nil {
		*to = d
	}
	return err
}

func setFraction(to *time.Duration, e ini.Entry) error {
	d, err := fraction(e)
	if err == nil {
		*to = d
	}
	return err
}

func setSize(to *int64, e ini.Entry) error {
	n, err := size(e)
	if err == nil {
		*to = n
	}
	return err
}

func setMegabytes(to *int64, e ini.Entry) error {
	n, err := megabytes(e)
	if err == nil {
		*to = n
	}
	return err
}

func (r *resolver) flag(to *bool, e ini.Entry) error {
	on, err := truth(r.list, e)
	if err == nil {
		*to = on
	}
	return err
}

// always reads a flag for something that is always so.
func (r *resolver) always(e ini.Entry) error {
	_, err := truth(r.list, e)
	return err
}
