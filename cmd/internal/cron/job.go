package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Job is a command and when it is due.
type Job struct {
	Schedule
	Command  string        // for a shell
	Unique   bool          // not while the one before still runs
	Harakiri time.Duration // it is killed after so long; 0 for never
}

// Parse reads "minute hour day month week command".
func Parse(value string) (Job, error) {
	var numbers [5]int
	rest := value
	for i := range numbers {
		word, after, _ := strings.Cut(strings.TrimLeft(rest, " \t"), " ")
		n, err := strconv.Atoi(word)
		if err != nil {
			return Job{}, fmt.Errorf("%q is not of the form MINUTE HOUR DAY MONTH WEEKDAY COMMAND, where -1 is any and -5 every fifth", value)
		}
		numbers[i], rest = n, after
	}
	j := Job{
		Schedule: Schedule{Minute: numbers[0], Hour: numbers[1], Day: numbers[2], Month: numbers[3], Week: numbers[4]},
		Command:  strings.TrimSpace(rest),
	}
	return j, j.check()
}

// Parse2 reads "key=value,key=value command"; keys that are left out are -1.
func Parse2(value string) (Job, error) {
	keys, command, _ := strings.Cut(strings.TrimSpace(value), " ")
	j := Job{Schedule: Every, Command: strings.TrimSpace(command)}
	if !strings.Contains(keys, "=") { // nothing but a command
		j.Command = strings.TrimSpace(value)
		return j, j.check()
	}
	for pair := range strings.SplitSeq(keys, ",") {
		key, text, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(text)
		if err != nil {
			return Job{}, fmt.Errorf("%q is not of the form KEY=NUMBER", pair)
		}
		switch key {
		case "minute":
			j.Minute = n
		case "hour":
			j.Hour = n
		case "day":
			j.Day = n
		case "month":
			j.Month = n
		case "week":
			j.Week = n
		case "unique":
			j.Unique = n > 0
		case "harakiri":
			if n < 0 || n > maxHarakiri {
				return Job{}, fmt.Errorf("harakiri=%d is not from 0 to %d", n, maxHarakiri)
			}
			j.Harakiri = time.Duration(n) * time.Second
		default:
			return Job{}, fmt.Errorf("%q is none of minute, hour, day, month, week, unique, harakiri", key)
		}
	}
	return j, j.check()
}

const maxHarakiri = 1_000_000_000 // seconds

// check refuses numbers that no minute has.
func (j Job) check() error {
	for _, r := range []struct {
		name         string
		n, low, high int
	}{
		{"minute", j.Minute, 0, 59},
		{"hour", j.Hour, 0, 23},
		{"day", j.Day, 1, 31},
		{"month", j.Month, 1, 12},
		{"week", j.Week, 0, 7},
	} {
		if r.n > r.high || r.n >= 0 && r.n < r.low || r.n < -60 {
			return fmt.Errorf("%s is %d, which is neither from %d to %d nor from -60 to -1", r.name, r.n, r.low, r.high)
		}
	}
	if j.Command == "" {
		return errors.New("there is no command")
	}
	return nil
}
