package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/spool"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// openMules makes the queues of messages to mules, once for all that the server starts. On an error
// it returns those that it has made, too.
func openMules(cfg *config.Config, logf func(format string, args ...any)) (queues []worker.Queue, err error) {
	if len(cfg.Mules) == 0 {
		return nil, nil
	}
	names := []string{""}
	for i := range cfg.Mules {
		names = append(names, fmt.Sprint(i+1))
	}
	for i, f := range cfg.Farms {
		names = append(names, "farm:"+f.Name)
		list := make([]string, 0, len(f.Mules))
		for _, n := range f.Mules {
			list = append(list, fmt.Sprint(n))
		}
		logf("created farm %d name: %s mules:%s", i+1, f.Name, strings.Join(list, ","))
	}
	for _, name := range names {
		q, err := worker.NewQueue(name, int(cfg.MuleMsgSize))
		if err != nil {
			return queues, fmt.Errorf("mule: %w", err)
		}
		queues = append(queues, q)
	}
	return queues, nil
}

// mules are the processes that the options for them ask for.
func mules(cfg *config.Config, hooks []worker.Step, logf func(format string, args ...any)) (list []worker.Background) {
	for i, what := range cfg.Mules {
		runs := strings.HasSuffix(what, ".py") || strings.Contains(what, ":")
		if !runs && what != "" && what != "true" && what != "1" {
			logf("*** WARNING: mule = %s: this is neither a file that ends in .py nor module:function, so mule %d waits for messages and signals, as in uWSGI ***", what, i+1)
		}
		list = append(list, worker.Background{
			Kind: "mule", Number: i + 1, Steps: hooks, Mercy: cfg.MuleMercy,
			Title:   cfg.Procnames.Name(fmt.Sprintf("uWSGI mule %d", i+1), false),
			Imports: !runs || !cfg.LazyApps, // as in uWSGI code of its own runs without the app then
			Spec:    map[string]any{"run": what, "harakiri": int(cfg.MuleHarakiri.Seconds())},
		})
	}
	return list
}

// watchBackgrounds replaces the mules, and the spoolers, when a file is touched, until ctx ends.
func (p *program) watchBackgrounds(ctx context.Context) {
	watch := func(kind, plural string, paths []string) {
		if len(paths) == 0 || p.workers.Pool == nil {
			return
		}
		life.Watch(ctx, life.Watched{Paths: p.site.under(paths...), Do: func() {
			p.logf("*** a file of touch-%s-reload has been touched... %s reload !!! ***", plural, plural)
			p.workers.ReloadBackgrounds(kind)
		}})
	}
	go watch("mule", "mules", p.cfg.TouchMules)
	watch(spool.Kind, "spoolers", p.cfg.TouchSpoolers)
}
