package main

import "fmt"

// setTitle has ps show what procname and its kin ask for. To be called before anything
// is given up that it may need.
func (p *program) setTitle() {
	if name := p.cfg.Procnames.Name("uWSGI master", true); name != "" {
		overwriteArgs(name)
	}
}

// workerNames returns what ps is to show for the zygote and the workers.
func (p *program) workerNames() []string {
	names := []string{p.cfg.Procnames.Name("uWSGI zygote", false)}
	for n := range p.cfg.Processes {
		names = append(names, p.cfg.Procnames.Name(fmt.Sprintf("uWSGI worker %d", n+1), false))
	}
	return names
}
