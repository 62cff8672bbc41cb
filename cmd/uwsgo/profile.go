package main

import "github.com/pkg/profile"

// startProfile writes a profile of the server itself into the current directory
// until the returned function is called. The names are config.Profiles.
func startProfile(kind string) (stop func()) {
	modes := map[string]func(*profile.Profile){
		"cpu": profile.CPUProfile, "mem": profile.MemProfile, "heap": profile.MemProfileHeap,
		"allocs": profile.MemProfileAllocs, "block": profile.BlockProfile, "mutex": profile.MutexProfile,
		"goroutine": profile.GoroutineProfile, "threads": profile.ThreadcreationProfile, "trace": profile.TraceProfile,
		"clock": profile.ClockProfile,
	}
	return profile.Start(modes[kind], profile.ProfilePath("."), profile.NoShutdownHook).Stop
}
