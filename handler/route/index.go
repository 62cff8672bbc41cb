package route

import (
	"bytes"
	"slices"
)

// index finds the rules that may apply to a request. Most rules ask whether a variable begins
// with certain bytes. Each variable has a tree of them: one walk along the variable finds its
// rules, whatever their number. All other rules are tried one by one.
type index struct {
	others   []int32 // for each place, the first rule from there that is in no tree
	subjects []subject
}

// subject is a variable with the rules about its beginning.
type subject struct {
	text template
	root node
}

// leastIndexed is the number of rules from which a tree pays.
const leastIndexed = 4

// beginner is a condition that holds only if a text begins with certain bytes.
type beginner interface {
	// begins returns both; no bytes if there is no such beginning.
	begins() (text template, prefix []byte)
}

func (m *matches) begins() (template, []byte) { return m.subject, m.pattern.prefix }

func (t *compare) begins() (template, []byte) {
	text, _ := t.b.fixed()
	if !t.prefix {
		text = ""
	}
	return t.a, []byte(text)
}

// newIndex makes the index of a table.
func newIndex(rules []*Rule) *index {
	type entry struct {
		rule   int32
		prefix []byte
	}
	byVariable := map[string][]entry{}
	text := map[string]template{}
	for i, r := range rules {
		b, ok := r.cond.(beginner)
		if !ok || r.negate || r.idle() {
			continue
		}
		t, prefix := b.begins()
		if len(prefix) == 0 || len(t.parts) != 1 || t.parts[0].variable == "" || t.parts[0].function != nil {
			continue
		}
		name := t.parts[0].variable
		byVariable[name], text[name] = append(byVariable[name], entry{int32(i), prefix}), t
	}
	x := &index{others: make([]int32, len(rules)+1)}
	inTree := make([]bool, len(rules))
	for name, entries := range byVariable {
		if len(entries) < leastIndexed {
			continue
		}
		s := subject{text: text[name]}
		for _, e := range entries {
			s.root.add(e.prefix, e.rule)
			inTree[e.rule] = true
		}
		x.subjects = append(x.subjects, s)
	}
	next := int32(len(rules))
	x.others[next] = next
	for i, r := range slices.Backward(rules) {
		if !inTree[i] && !r.idle() {
			next = int32(i)
		}
		x.others[i] = next
	}
	return x
}

// next returns the first rule from e.pc on that may apply. A subject's result holds until a
// rule has acted: see eval.forget.
func (x *index) next(e *eval) int {
	pc := int32(e.pc)
	best := x.others[pc]
	for i := range x.subjects {
		if best == pc {
			break
		}
		for len(e.ahead) < len(x.subjects) {
			e.ahead = append(e.ahead, -1)
		}
		at := e.ahead[i]
		if at < pc {
			s := &x.subjects[i]
			at = s.root.next(e.one(&s.text), pc, x.others[len(x.others)-1])
			e.ahead[i] = at
		}
		best = min(best, at)
	}
	return int(best)
}

// node is a place in a tree of beginnings. The labels on the way to it are the beginning of its
// rules.
type node struct {
	label []byte  // from the node before to this one
	rules []int32 // in order
	nodes []node  // children, in the order of the first byte of their labels
}

func (n *node) add(prefix []byte, rule int32) {
	if len(prefix) == 0 {
		n.rules = append(n.rules, rule)
		return
	}
	i, ok := n.find(prefix[0])
	if !ok {
		n.nodes = slices.Insert(n.nodes, i, node{label: prefix, rules: []int32{rule}})
		return
	}
	to := &n.nodes[i]
	same := 0
	for same < len(prefix) && same < len(to.label) && prefix[same] == to.label[same] {
		same++
	}
	if same < len(to.label) { // they differ within the label
		rest := *to
		rest.label = rest.label[same:]
		*to = node{label: prefix[:same:same], nodes: []node{rest}}
	}
	to.add(prefix[same:], rule)
}

func (n *node) find(first byte) (int, bool) {
	return slices.BinarySearchFunc(n.nodes, first, func(n node, first byte) int { return int(n.label[0]) - int(first) })
}

// next returns the first rule from a place on whose beginning text has, else none.
func (n *node) next(text []byte, from, none int32) int32 {
	best := none
	for {
		if i, _ := slices.BinarySearch(n.rules, from); i < len(n.rules) {
			best = min(best, n.rules[i])
		}
		if len(text) == 0 {
			return best
		}
		i, ok := n.find(text[0])
		if !ok || !bytes.HasPrefix(text, n.nodes[i].label) {
			return best
		}
		n = &n.nodes[i]
		text = text[len(n.label):]
	}
}
