package cron

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
)

// maxRunning bounds the runs of one job at a time: a job that takes longer than its interval must
// not fill the machine.
const maxRunning = 32

// Runner runs jobs when they are due, on a goroutine of its own. Any goroutine may call its
// methods.
type Runner struct {
	jobs    []*job
	logf    func(format string, args ...any)
	stop    chan struct{}
	running sync.WaitGroup
}

// job is a Job and its runs.
type job struct {
	Job
	command command.Command

	mu   sync.Mutex
	runs []*run // in the order of their starts
}

type run struct {
	process *command.Process
	started time.Time
}

// State is the state of a job at one moment.
type State struct {
	Job
	PID     int // of the last run that has not ended; 0 for none
	Started time.Time
}

// Start begins with the jobs of this very minute. with gives a command its environment and output.
func Start(jobs []Job, with func(line string) command.Command, logf func(string, ...any)) *Runner {
	r := &Runner{logf: logf, stop: make(chan struct{})}
	for _, j := range jobs {
		r.jobs = append(r.jobs, &job{Job: j, command: with(j.Command)})
		logf("[uwsgi-cron] command \"%s\" registered as cron task", j.Command)
	}
	r.running.Go(r.keepTime)
	return r
}

// keepTime starts the jobs that are due, once a minute.
func (r *Runner) keepTime() {
	var last time.Time
	for {
		now := time.Now()
		if minute := now.Truncate(time.Minute); !minute.Equal(last) {
			last = minute
			for _, j := range r.jobs {
				if j.Matches(now) {
					r.begin(j)
				}
			}
		}
		select {
		case <-time.After(max(time.Until(last.Add(time.Minute)), 10*time.Millisecond)):
		case <-r.stop:
			return
		}
	}
}

// begin starts one run of j.
func (r *Runner) begin(j *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case <-r.stop: // Stop has ended this job, or will not see this run
		return
	default:
	}
	switch n := len(j.runs); {
	case j.Unique && n > 0:
		r.logf("[uwsgi-cron] command \"%s\" still runs with pid %d: not started again", j.Command, j.runs[n-1].process.PID)
		return
	case n == maxRunning:
		r.logf("[uwsgi-cron] command \"%s\" runs %d times already: not started again", j.Command, n)
		return
	}
	p, err := j.command.Start()
	if err != nil {
		r.logf("[uwsgi-cron] %v", err)
		return
	}
	r.logf("[uwsgi-cron] running \"%s\" (pid %d)", j.Command, p.PID)
	one := &run{p, time.Now()}
	j.runs = append(j.runs, one)
	r.running.Go(func() { r.attend(j, one) })
}

// attend waits for the end of a run.
func (r *Runner) attend(j *job, one *run) {
	var late <-chan time.Time
	if j.Harakiri > 0 {
		timer := time.NewTimer(j.Harakiri)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-one.process.Done():
	case <-late:
		r.logf("[uwsgi-cron] command \"%s\" running with pid %d takes longer than %v: killed", j.Command, one.process.PID, j.Harakiri)
		one.process.Signal(syscall.SIGKILL)
		<-one.process.Done()
	}
	j.mu.Lock()
	for i, other := range j.runs {
		if other == one {
			j.runs = append(j.runs[:i:i], j.runs[i+1:]...)
			break
		}
	}
	j.mu.Unlock()
	r.logf("[uwsgi-cron] command \"%s\" running with pid %d exited after %d second(s)", j.Command, one.process.PID, int(time.Since(one.started).Seconds()))
}

// Stop starts no more jobs and ends those that run, by SIGTERM, and by SIGKILL when ctx ends. Call
// it once.
func (r *Runner) Stop(ctx context.Context) {
	close(r.stop)
	for _, j := range r.jobs {
		j.mu.Lock()
		for _, one := range j.runs {
			r.running.Go(func() { one.process.Stop(ctx, syscall.SIGTERM) })
		}
		j.mu.Unlock()
	}
	r.running.Wait()
}

// Snapshot returns the jobs as they are now.
func (r *Runner) Snapshot() []State {
	states := make([]State, 0, len(r.jobs))
	for _, j := range r.jobs {
		s := State{Job: j.Job}
		j.mu.Lock()
		if n := len(j.runs); n > 0 {
			s.PID, s.Started = j.runs[n-1].process.PID, j.runs[n-1].started
		}
		j.mu.Unlock()
		states = append(states, s)
	}
	return states
}
