package route

import (
	"errors"
	"fmt"
	"strings"
)

// raises compiles alarm:NAME MESSAGE. As in uWSGI, a name that no alarm has does nothing.
func raises(c *compiler, args string) error {
	to, text, ok := strings.Cut(args, " ")
	if !ok || to == "" {
		return fmt.Errorf("%q is not of the form NAME MESSAGE", args)
	}
	name, err := c.template(to, true)
	if err != nil {
		return err
	}
	message, err := c.template(text, true)
	c.rule.alarm, _ = name.fixed()
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		if e.h.alarm != nil {
			e.h.alarm(string(name.append(nil, e)), message.append(nil, e))
		}
		return goOn, nil
	})
	return err
}

// counts compiles metricinc:NAME,BY and its kin. BY is 1 where it is missing.
func counts(how string) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		of, number, ok := strings.Cut(args, ",")
		if !ok {
			number = "1"
		}
		if of == "" {
			return errors.New("it needs the name of a metric, as in metricinc:orders")
		}
		name, err := c.template(of, true)
		if err != nil {
			return err
		}
		by, err := c.template(number, true)
		c.rule.metric, _ = name.fixed()
		c.rule.do = &count{name, by, how}
		return err
	}
}

// count changes a metric.
type count struct {
	name, by template
	how      string
}

// act refuses a request for a metric that is not there, or for a division by zero. uWSGI closes the
// connection then.
func (a *count) act(e *eval) (verdict, error) {
	if e.h.metric == nil {
		return goOn, nil
	}
	name, by := string(a.name.append(nil, e)), number(e.one(&a.by))
	if e.h.metric(name, a.how, by) {
		return goOn, nil
	}
	return failed, fmt.Errorf("metric%s: the configuration has no metric %.64q that can be changed by %d", a.how, name, by)
}
