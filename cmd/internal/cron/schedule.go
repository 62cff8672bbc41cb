// Package cron runs commands at times, as uWSGI's cron, cron2 and unique-cron do: five numbers and
// a command.
package cron

import "time"

// Schedule says in which minutes a job is due. As in uWSGI a negative number stands for every
// minute (hour, ...) that it divides: -1 for all, -5 for 0, 5, 10 and so on.
type Schedule struct {
	Minute, Hour, Day, Month int
	Week                     int // day of the week, 0 and 7 are Sunday
}

// Every is due in every minute.
var Every = Schedule{Minute: -1, Hour: -1, Day: -1, Month: -1, Week: -1}

// Matches reports whether s is due in the minute of t, in the zone of t. If both day and day of the
// week are given, one of them is enough, as in crontab.
func (s Schedule) Matches(t time.Time) bool {
	week := s.Week
	if week == 7 {
		week = 0
	}
	if !fits(s.Minute, t.Minute()) || !fits(s.Hour, t.Hour()) || !fits(s.Month, int(t.Month())) {
		return false
	}
	day, weekday := fits(s.Day, t.Day()), fits(week, int(t.Weekday()))
	if s.Day >= 0 && s.Week >= 0 {
		return day || weekday
	}
	return day && weekday
}

func fits(want, is int) bool {
	if want < 0 {
		return is%-want == 0
	}
	return want == is
}
