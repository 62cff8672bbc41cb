package apps

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// Request is what an app is asked.
type Request struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"` // with the query, if any; nothing in it is escaped
	Headers [][2]string `json:"headers,omitempty"`
	Body    []byte      `json:"body,omitempty"`
	After   float64     `json:"after,omitempty"` // seconds that pass before it
}

// Answer is what an app answers.
type Answer struct {
	Status int    `json:"status"`
	Body   []byte `json:"body"`
}

// Expect gives the answers of an app in dir, where WriteTo has put it, to requests, in their
// order. It calls the app in a Python process through the standard library's wsgiref and its
// validator, so the answers do not depend on the measured servers. It fails when the app cannot
// be imported or breaks PEP 3333.
func Expect(ctx context.Context, python, dir, app string, requests []Request) ([]Answer, error) {
	return expect(ctx, python, dir, app, requests)
}

func expect(ctx context.Context, python, dir, app string, requests []Request, more ...string) ([]Answer, error) {
	asked, err := json.Marshal(requests)
	if err != nil {
		return nil, err
	}
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, python, append([]string{"expect.py", app}, more...)...)
	cmd.Dir = dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, &log
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		return nil, fmt.Errorf("asking %s for its answers: %w: %s", app, err, lines[len(lines)-1])
	}
	var answers []Answer
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil {
		return nil, fmt.Errorf("asking %s for its answers: %w", app, err)
	}
	if len(answers) != len(requests) {
		return nil, fmt.Errorf("asking %s for its answers: %d for %d requests", app, len(answers), len(requests))
	}
	return answers, nil
}
