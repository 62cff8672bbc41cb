package route

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/tg123/go-htpasswd"
)

// Bounds of password files.
const (
	mostPassword  = 512     // bytes; some hashes take quadratic time
	mostPasswords = 8 << 20 // bytes of a file
	mostKnown     = 4096    // remembered pairs of user and password
	lookEach      = time.Second
)

// passwordFile is an htpasswd file. It remembers right passwords, because a check takes long
// and browsers send the password with each request. A changed file counts after a second at
// most, and clears the memory. An unreadable file refuses everybody.
type passwordFile struct {
	path string
	key  [32]byte // of the sums in known, so that they reveal no password

	loading sync.Mutex // held while the file is read
	mu      sync.Mutex // guards what follows
	info    os.FileInfo
	users   map[string][]hash
	known   map[[sha256.Size]byte]struct{}
	looked  time.Time
}

// hash checks one password.
type hash interface{ MatchesPassword(password string) bool }

// openPasswords reads a file. It returns an error for an entry that cannot be checked.
func openPasswords(path string) (*passwordFile, error) {
	f := &passwordFile{path: path}
	_, _ = rand.Read(f.key[:]) // it never fails
	return f, f.load()
}

// load reads the file.
func (f *passwordFile) load() error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", f.path)
	case info.Size() > mostPasswords:
		return fmt.Errorf("%s is larger than %d bytes", f.path, mostPasswords)
	}
	users, err := parsePasswords(io.LimitReader(file, mostPasswords))
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.mu.Lock()
	f.info, f.users, f.known, f.looked = info, users, nil, time.Now()
	f.mu.Unlock()
	return nil
}

// parsePasswords reads lines USER:HASH. Errors name lines, never their content.
func parsePasswords(r io.Reader) (map[string][]hash, error) {
	users := map[string][]hash{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		user, rest, ok := strings.Cut(line, ":")
		text, _, _ := strings.Cut(rest, ":") // a comment may follow
		if !ok || user == "" {
			return nil, fmt.Errorf("line %d is not of the form USER:HASH", n)
		}
		h, err := parseHash(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		users[user] = append(users[user], h)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("a line is too long: %w", err)
	}
	return users, nil
}

var errHash = errors.New("unknown form of a hash: make it again with htpasswd -B, which writes bcrypt")

// hashForms are the hashes of htpasswd, and of crypt(3) on Linux except yescrypt.
var hashForms = []struct {
	form  *regexp.Regexp
	parse htpasswd.PasswdParser
}{
	{regexp.MustCompile(`^\{SHA\}[A-Za-z0-9+/]{27}=$`), htpasswd.AcceptSha},
	{regexp.MustCompile(`^\{SSHA\}[A-Za-z0-9+/]+=*$`), htpasswd.AcceptSsha},
	{regexp.MustCompile(`^\$(apr1|1)\$[^$]{0,8}\$[./A-Za-z0-9]{22}$`), htpasswd.AcceptMd5},
	{regexp.MustCompile(`^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$`), htpasswd.AcceptBcrypt},
	{regexp.MustCompile(`^\$5\$(rounds=\d+\$)?[^$]{0,16}\$[./A-Za-z0-9]{43}$`), htpasswd.AcceptCryptSha},
	{regexp.MustCompile(`^\$6\$(rounds=\d+\$)?[^$]{0,16}\$[./A-Za-z0-9]{86}$`), htpasswd.AcceptCryptSha},
	{regexp.MustCompile(`^[./A-Za-z0-9]{13}$`), func(text string) (htpasswd.EncodedPasswd, error) { return desHash(text), nil }},
}

func parseHash(text string) (hash, error) {
	for _, f := range hashForms {
		if !f.form.MatchString(text) {
			continue
		}
		// The library's error contains the hash, so drop it.
		if h, err := f.parse(text); err == nil && h != nil {
			return h, nil
		}
	}
	return nil, errHash
}

// desHash is a hash of crypt(3).
type desHash string

func (h desHash) MatchesPassword(password string) bool {
	got, ok := desCrypt(password, string(h[:2]))
	return ok && subtle.ConstantTimeCompare([]byte(got), []byte(h)) == 1
}

func (f *passwordFile) sum(user, password string) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, f.key[:])
	_, _ = io.WriteString(m, user+":"+password)
	m.Sum(sum[:0])
	return sum
}

// remembers reports whether the password was right before, in the present file. The loop may
// call it: it asks the file system once a second.
func (f *passwordFile) remembers(user, password string) bool {
	sum := f.sum(user, password)
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) > lookEach {
		f.looked = now
		if !same(f.path, f.info) {
			f.known = nil
			return false
		}
	}
	_, ok := f.known[sum]
	return ok
}

// current reports whether the file is unchanged since it was read.
func (f *passwordFile) current() bool {
	f.mu.Lock()
	was := f.info
	f.mu.Unlock()
	return same(f.path, was)
}

func same(path string, was os.FileInfo) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, was) && info.Size() == was.Size() && info.ModTime().Equal(was.ModTime())
}

// check reports whether the password is right. It may take long.
func (f *passwordFile) check(user, password string) (bool, error) {
	info, hashes, err := f.read(user)
	if err != nil {
		return false, err
	}
	right := false
	for _, h := range hashes {
		right = h.MatchesPassword(password) || right
	}
	if right {
		f.remember(info, f.sum(user, password))
	}
	return right, nil
}

// read returns the hashes of a user in the present file.
func (f *passwordFile) read(user string) (os.FileInfo, []hash, error) {
	f.loading.Lock()
	defer f.loading.Unlock()
	if !f.current() {
		if err := f.load(); err != nil {
			return nil, nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	hashes := f.users[user]
	if len(hashes) == 0 { // take as long as for a known user
		for _, others := range f.users {
			return f.info, []hash{nobody{others[0]}}, nil
		}
	}
	return f.info, hashes, nil
}

// nobody takes the time of a hash and refuses everybody.
type nobody struct{ hash }

func (n nobody) MatchesPassword(password string) bool {
	n.hash.MatchesPassword(password)
	return false
}

// remember keeps a right password for the version of the file in info.
func (f *passwordFile) remember(info os.FileInfo, sum [sha256.Size]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.info != info {
		return // a newer file has been read
	}
	if f.known == nil || len(f.known) >= mostKnown {
		f.known = map[[sha256.Size]byte]struct{}{}
	}
	f.known[sum] = struct{}{}
}
