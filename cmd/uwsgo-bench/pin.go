package main

import "fmt"

// enoughCores is the least number of processors for pinning. With fewer, servers of two
// processes would get less than they use.
const enoughCores = 4

// pinning divides the processors cpus between the load generator and the servers. The
// load generator gets the last ones. With too few, nothing is pinned. The sentence is
// for the report.
func pinning(cpus []int, threads int) (client, servers []int, sentence string) {
	if len(cpus) < max(enoughCores, 2*threads) {
		return nil, nil, fmt.Sprintf("Not pinned: %d processors are too few to keep client and servers apart, so they share them and each slows the other.", len(cpus))
	}
	split := len(cpus) - threads
	client, servers = cpus[split:], cpus[:split]
	return client, servers, fmt.Sprintf("Pinned: the load generator has processor %v, the servers have %v.", client, servers)
}
