package main

import "fmt"

// enoughCores is how many processors it takes to give the load generator its own:
// with fewer, servers of two processes would get less than they use.
const enoughCores = 4

// pinning shares the processors that this program may use between the load
// generator, which gets the last ones, and the servers. With too few nobody is
// pinned. The sentence is for the report.
func pinning(cpus []int, threads int) (client, servers []int, sentence string) {
	if len(cpus) < max(enoughCores, 2*threads) {
		return nil, nil, fmt.Sprintf("Not pinned: %d processors are too few to keep client and servers apart, so they share them and each slows the other.", len(cpus))
	}
	split := len(cpus) - threads
	client, servers = cpus[split:], cpus[:split]
	return client, servers, fmt.Sprintf("Pinned: the load generator has processor %v, the servers have %v.", client, servers)
}
