package shell

import (
	"os/exec"
	"testing"
)

// A shell reads each word as it was.
func TestQuote(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("SKIP: no sh")
	}
	for _, word := range []string{"app:app", "shop:create_app()", "my site.py", "it's.py", "$HOME", "a;b", "*", "", "~", "a\nb", `a\b`, "#x"} {
		out, err := exec.Command(sh, "-c", "printf %s "+Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is read as %q: %v", word, out, err)
		}
	}
	if got := Quote("app:app"); got != "app:app" {
		t.Errorf("a plain word is quoted: %s", got)
	}
}
