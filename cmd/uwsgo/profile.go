package main

import "github.com/pkg/profile"

// startProfile profiles the server until stop is called, and writes the profile into the current
// directory. config.Profiles has the kinds.
func startProfile(kind string) (stop func()) {
	modes := map[string]func(*profile.Profile){
		"cpu": profile.CPUProfile, "mem": profile.MemProfile, "heap": profile.MemProfileHeap,
		"allocs": profile.MemProfileAllocs, "block": profile.BlockProfile, "mutex": profile.MutexProfile,
		"goroutine": profile.GoroutineProfile, "threads": profile.ThreadcreationProfile, "trace": profile.TraceProfile,
		"clock": profile.ClockProfile,
	}
	return profile.Start(modes[kind], profile.ProfilePath("."), profile.NoShutdownHook).Stop
}
