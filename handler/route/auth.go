package route

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// basicAuth asks for a user and a password, which become REMOTE_USER.
type basicAuth struct {
	refusal  reply
	next     bool   // after a wrong password the next rule decides
	user     string // the only user,
	password [sha256.Size]byte
	path     string        // or the file of all users
	file     *passwordFile // opened by New
}

// authenticates compiles basicauth:REALM,USER:PASSWORD, or REALM,FILE. Without either it
// refuses everybody.
func authenticates(next bool) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		realm, who, ok := strings.Cut(args, ",")
		if !ok {
			return errors.New("basicauth is not of the form REALM,USER:PASSWORD or REALM,FILE") // args may hold a password
		}
		h := codec.Header{Name: []byte("WWW-Authenticate"), Value: []byte(`Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `"`)}
		if err := codec.Validate(&codec.Response{Status: 401, Header: []codec.Header{h}}); err != nil {
			return fmt.Errorf("realm %q: %w", realm, err)
		}
		a := &basicAuth{next: next, refusal: reply{
			status: http.StatusUnauthorized, reason: []byte("Authorization Required"), headers: []codec.Header{h}, body: []byte("Unauthorized"),
		}}
		if user, _, ok := strings.Cut(who, ":"); ok {
			a.user, a.password = user, sha256.Sum256([]byte(who))
		} else {
			a.path = who
		}
		c.rule.do = a
		return nil
	}
}

func (a *basicAuth) act(e *eval) (verdict, error) {
	var buf [256]byte
	if len(e.variable(buf[:0], "REMOTE_USER")) > 0 {
		return goOn, nil // another rule, or the front server, has authenticated the user
	}
	given, ok := credentials(e)
	if !ok || a.user == "" && a.path == "" {
		return a.refusal.act(e)
	}
	user, password, ok := strings.Cut(given, ":")
	if a.path == "" {
		sum := sha256.Sum256([]byte(given))
		right := subtle.ConstantTimeCompare(sum[:], a.password[:]) == 1
		return a.judge(e, a.user, right)
	}
	if !ok || len(password) > mostPassword {
		return a.judge(e, "", false)
	}
	if a.file.remembers(user, password) {
		return a.judge(e, user, true)
	}
	return a.ask(e, user, password)
}

// judge admits or refuses a user.
func (a *basicAuth) judge(e *eval, user string, right bool) (verdict, error) {
	switch {
	case right:
		if err := e.r.SetVar("REMOTE_USER", user); err != nil {
			return failed, err
		}
		return goOn, nil
	case a.next:
		return goOn, nil
	}
	return a.refusal.act(e)
}

// ask checks a password on a goroutine of the pool, because that takes long, and goes on
// afterwards.
func (a *basicAuth) ask(e *eval, user, password string) (verdict, error) {
	ref, rule := e.x.Ref(), e.t.rules[e.pc-1]
	err := e.h.pool.Go(func() {
		right, err := a.file.check(user, password)
		_ = ref.Post(func(x *engine.Exchange) {
			e.r = x.Request()
			e.locate() // the head has moved
			e.goOn(rule, func() (verdict, error) {
				if err != nil {
					return failed, err
				}
				return a.judge(e, user, right)
			})
		})
	})
	if err != nil {
		return e.busy(), nil
	}
	return waits, nil
}

// goOn ends an action that waited, and runs the next rules.
func (e *eval) goOn(r *Rule, act func() (verdict, error)) {
	v, err := act()
	e.tell(r, v, err)
	e.resume(r, v, err)
}

// resume goes on after a rule that waited.
func (e *eval) resume(r *Rule, v verdict, err error) {
	switch {
	case err != nil:
		e.fail(r, err)
	case v == goOn:
		v = e.serve()
	}
	if v != waits {
		e.free()
	}
}

// credentials returns USER:PASSWORD as the client has sent it.
func credentials(e *eval) (string, bool) {
	value := e.header(nil, "HTTP_AUTHORIZATION")
	scheme, token, ok := strings.Cut(string(value), " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", false
	}
	given, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	return string(given), err == nil
}
