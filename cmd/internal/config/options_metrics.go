package config

import (
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/metrics"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// MetricConfig has the metrics.
type MetricConfig struct {
	Metrics metrics.Config
}

var metricDefaults = MetricConfig{Metrics: metrics.Config{Freq: 3 * time.Second}}

var metricRows = []row{
	{
		Option: option.Option{
			Name: "enable-metrics", Kind: option.Flag, Status: option.Same,
			Help: "turn on metrics in the stats and the uwsgi module",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Metrics.On, e) },
	},
	{
		Option: option.Option{
			Name: "metric", Kind: option.List, Arg: "NAME|name=NAME,type=gauge,...", Status: option.Differs,
			Help: "define a metric for apps: oid, type (counter, gauge, absolute, alias), initial_value, alias=METRIC, collector=file with arg1=FILE and arg1n=WORD may follow",
			Note: "Other collectors, and children, end the start.",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.Metrics.On = true
			return addParsed(&r.Metrics.Specs, e, metrics.Parse)
		},
	},
	{
		Option: option.Option{
			Name: "metric-threshold", Aliases: []string{"metric-alarm", "alarm-metric"}, Kind: option.List, Arg: "key=METRIC,value=N,alarm=NAME,...", Status: option.Same,
			Help: "raise an alarm when a metric reaches a value; rate=SECONDS between alarms, msg=TEXT and reset=N may follow",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.Metrics.On = true
			r.thresholds = append(r.thresholds, e)
			return nil
		},
	},
	{
		Option: option.Option{
			Name: "metrics-dir", Aliases: []string{"metric-dir"}, Kind: option.Text, Arg: "DIR", Status: option.Differs,
			Help: "keep the values of the metrics of --metric in files of this directory",
			Note: "The stats have the metrics of the server. A file holds only the value and a newline.",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.Metrics.On = true
			return setText(&r.Metrics.Dir, e, "a directory")
		},
	},
	{
		Option: option.Option{
			Name: "metrics-dir-restore", Aliases: []string{"metric-dir-restore"}, Kind: option.Flag, Status: option.Same,
			Help: "start metrics with the values in --metrics-dir",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Metrics.Restore, e) },
	},
	{
		Option: option.Option{
			Name: "stats-push", Kind: option.List, Arg: "statsd:HOST:PORT[,PREFIX]", Status: option.Differs,
			Help: "send the metrics to a statsd server, by UDP",
			Note: "Other kinds end the start.",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.Metrics.On = true
			return addParsed(&r.Metrics.Pushes, e, metrics.ParsePush)
		},
	},
	{
		Option: option.Option{
			Name: "stats-pusher-default-freq", Aliases: []string{"stats-pushers-default-freq"}, Kind: option.Seconds, Arg: "SECONDS", Default: "3", Status: option.Same,
			Help: "how often --stats-push sends",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Metrics.Freq, e) },
	},
}

// settleMetrics reads the thresholds, now that all alarms are known. As in uWSGI, one whose alarm is
// not there raises none.
func (r *resolver) settleMetrics() error {
	for _, e := range r.thresholds {
		t, err := metrics.ParseThreshold(e.Value)
		if err != nil {
			if err = r.mistake(e.Origin.Errorf(e.Key, "%w", err)); err != nil {
				return err
			}
			continue
		}
		if t.Alarm != "" && !r.Alarm.Has(t.Alarm) {
			r.lost(e, e.Key, noAlarm(t.Alarm))
			t.Alarm = ""
		}
		r.Metrics.Thresholds = append(r.Metrics.Thresholds, t)
	}
	return nil
}
