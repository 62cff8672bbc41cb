package route

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The hashes were made by glibc's crypt, openssl passwd, and perl.
var hashes = map[string]string{
	"crypt":   "abNANd1rDfiNc",
	"sha":     "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"apr1":    "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
	"md5":     "$1$salt$ez2vlPGdaLYkJam5pWs/Y1",
	"bcrypt":  "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
	"sha256":  "$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6",
	"sha512":  "$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O8FHE00",
	"comment": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=:Jane Doe",
}

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	text := "# those who may\n\n"
	for user, hash := range hashes {
		text += user + ":" + hash + "\n"
	}
	writeFile(t, path, text+"twice:abNANd1rDfiNc\r\ntwice:"+hashes["sha"]+"\n")
	r := start(t, "route = ^/ basicauth:R,"+path+"\nroute = ^/(.*) addheader:X-Path: $1", Options{})
	users := []string{"twice"}
	for user := range hashes {
		users = append(users, user)
	}
	for range 2 { // the second time it is remembered
		for _, user := range users {
			a := r.get("/p", basic(user, "secret"), "X-Field: f")
			if want := "app user=" + user + " path=/p field=f"; a.status != 200 || a.body != want || a.header.Get("X-Path") != "p" {
				t.Errorf("%s: %+v", user, a)
			}
			for _, wrong := range []string{"Secret", "secre", "secret ", "", strings.Repeat("x", 600)} {
				if a := r.get("/p", basic(user, wrong)); a.status != 401 || a.body != "Unauthorized" {
					t.Errorf("%s with %q: %+v", user, wrong, a)
				}
			}
		}
		for _, who := range []string{basic("nobody", "secret"), basic("", "secret"), basic("#", ""), "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("crypt")), "X: y"} {
			if a := r.get("/", who); a.status != 401 {
				t.Errorf("%s: %+v", who, a)
			}
		}
	}
	if log := r.logged(); log != "" {
		t.Errorf("the log says %q", log)
	}
}

// Of a password that crypt knows eight characters count.
func TestDESCrypt(t *testing.T) {
	for _, tt := range []struct{ password, want string }{
		{"secret", "abNANd1rDfiNc"},
		{"", "zz6dpSdr.LHZw"},
		{"longer than eight", "./yPRzyX/WeSM"},
		{"longer t", "./yPRzyX/WeSM"},
		{"p\xc3\xa4ss", "K902BeYpUUPAA"},
	} {
		if got, ok := desCrypt(tt.password, tt.want[:2]); !ok || got != tt.want {
			t.Errorf("%q: %q, %v, want %s", tt.password, got, ok, tt.want)
		}
	}
	for _, salt := range []string{"", "a", "a$", "\xff\xff"} {
		if got, ok := desCrypt("x", salt); ok {
			t.Errorf("salt %q: %q", salt, got)
		}
	}
}

func TestPasswordFilesThatAreNone(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "ok:" + hashes["sha"] + "\nuser:plaintext\n", "line 2: unknown form of a hash"},
		{"plain_of_thirteen", "user:thirteen.mor!\n", "line 1: unknown form of a hash"},
		{"empty", "user:\n", "line 1: unknown form"},
		{"no_user", ":" + hashes["sha"], "line 1 is not of the form USER:HASH"},
		{"no_colon", "user\n", "line 1 is not of the form USER:HASH"},
		{"yescrypt", "user:$y$j9T$abc$def\n", "unknown form of a hash"},
		{"argon", "user:$argon2id$v=19$m=1$a$b\n", "unknown form of a hash"},
		{"broken_bcrypt", "user:$2y$05$short\n", "unknown form of a hash"},
		{"broken_sha", "user:{SHA}!!\n", "unknown form of a hash"},
		{"broken_apr1", "user:$apr1$nothing\n", "unknown form of a hash"},
		{"locked", "user:!\n", "unknown form of a hash"},
		{"long_line", "user:" + strings.Repeat("x", 100_000), "too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "htpasswd")
			writeFile(t, path, tt.text)
			_, err := New(nil, Options{Rules: parse(t, "route = ^/ basicauth:R,"+path), Pool: new(engine.Pool)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if _, hash, ok := strings.Cut(strings.TrimSpace(tt.text), "user:"); ok && hash != "" && hash != "!" && strings.Contains(err.Error(), hash) {
				t.Errorf("it tells the hash: %v", err)
			}
		})
	}
}

// A changed file holds without a restart, also for those who are remembered. One that is
// broken lets nobody in.
func TestPasswordFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	writeFile(t, path, "jane:"+hashes["sha"]+"\n")
	r := start(t, "route = ^/ basicauth:R,"+path, Options{})
	who := basic("jane", "secret")
	wait := func(status int) {
		t.Helper()
		deadline := time.Now().Add(60 * time.Second)
		for {
			a := r.get("/", who)
			if a.status == status {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("still %+v, want %d", a, status)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	wait(200)
	wait(200)
	writeFile(t, path, "john:"+hashes["bcrypt"]+"\n")
	wait(401)
	writeFile(t, path, "jane:"+hashes["apr1"]+"\n")
	wait(200)
	writeFile(t, path, "jane:secret\n")
	wait(500)
	if log := r.logged(); !strings.Contains(log, "route: the request is refused: "+path+": line 1: ") || strings.Contains(log, "secret") {
		t.Errorf("the log says %q", log)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wait(500)
	writeFile(t, path, "jane:"+hashes["sha"]+"\n")
	wait(200)
}

// slowHash takes until it is let go.
type slowHash struct{ asked, release chan struct{} }

func (h slowHash) MatchesPassword(string) bool {
	h.asked <- struct{}{}
	<-h.release
	return true
}

// While passwords are checked the loop answers others. What waits is bounded.
func TestSlowPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	writeFile(t, path, "jane:"+hashes["sha"]+"\n")
	pool := engine.NewPool(1, 1, t.Logf)
	t.Cleanup(pool.Close)
	rules := parse(t, "route = ^/auth basicauth:R,"+path)
	r := start(t, "", Options{})
	h, err := New(engine.HandlerFunc(app), Options{Rules: rules, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	file := h.tables[requests].rules[0].do.(*basicAuth).file
	slow := slowHash{make(chan struct{}, 9), make(chan struct{})}
	file.users["jane"] = []hash{slow}
	r = serve(t, r, h)
	answers := make(chan answer, 9)
	ask := func() { answers <- r.get("/auth", basic("jane", "secret")) }
	go ask()
	<-slow.asked
	for range 4 { // one of them waits
		go ask()
	}
	for range 3 {
		if a := <-answers; a.status != 503 || a.header.Get("Retry-After") != "1" {
			t.Errorf("got %+v, want 503", a)
		}
	}
	if a := r.get("/"); a.status != 200 {
		t.Errorf("another: %+v", a)
	}
	close(slow.release)
	for range 2 {
		if a := <-answers; a.status != 200 {
			t.Errorf("got %+v", a)
		}
	}
}

// A client that does not wait for its password to be checked does no harm.
func TestClientGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	writeFile(t, path, "jane:"+hashes["sha"]+"\n")
	r := start(t, "route = ^/auth basicauth:R,"+path, Options{})
	for range 50 {
		r.leave("GET /auth HTTP/1.1\r\nHost: x\r\n" + basic("jane", "secret") + "\r\n\r\n")
	}
	deadline := time.Now().Add(60 * time.Second)
	for { // what waits is bounded
		a := r.get("/auth", basic("jane", "secret"))
		if a.status == 200 {
			break
		}
		if a.status != 503 || time.Now().After(deadline) {
			t.Fatalf("got %+v", a)
		}
	}
}

func BenchmarkBasicAuthRemembered(b *testing.B) {
	path := filepath.Join(b.TempDir(), "htpasswd")
	writeFile(b, path, "jane:"+hashes["bcrypt"]+"\n")
	f, err := openPasswords(path)
	if err != nil {
		b.Fatal(err)
	}
	if ok, err := f.check("jane", "secret"); !ok || err != nil {
		b.Fatal(ok, err)
	}
	for b.Loop() {
		if !f.remembers("jane", "secret") {
			b.Fatal("forgotten")
		}
	}
}
