package zygote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/shim"
)

// Compile has an interpreter compile the shim, for zygotes of the same Python to find: see
// [launch.Config].Code. Nobody can change the file. No site of the interpreter's runs, so that
// the code is what this program has. It returns nil where the system has no such files.
func Compile(ctx context.Context, python string) (*os.File, error) {
	sources, err := sources()
	if err != nil {
		return nil, err
	}
	program, err := shim.Precompile()
	if err != nil {
		return nil, err
	}
	f := proc.Sealable("uwsgo-code")
	if f == nil {
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, python, "-I", "-S", "-c", program, digest(sources))
	cmd.Stdin, cmd.Stdout = bytes.NewReader(sources[4:]), f // without its length
	if err = cmd.Run(); err == nil {
		err = proc.Seal(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// digest tells the sources of one version of the shim from those of others.
func digest(sources []byte) string {
	sum := sha256.Sum256(sources)
	return hex.EncodeToString(sum[:])
}
