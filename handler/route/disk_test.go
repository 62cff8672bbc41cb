package route

import "testing"

// Rules that ask for files do the same where the disk has to be waited for.
func TestFilesOnASlowDisk(t *testing.T) {
	cached = func(string) bool { return false }
	t.Cleanup(func() { cached = staticCached })
	t.Run("conditions", TestFileConditions)
	t.Run("every_spelling", TestRulesHoldForEverySpelling)
	t.Run("files", TestFiles)
	t.Run("changes", TestChanges)
	t.Run("one_connection", TestRulesOnOneConnection)
	r := guarded(t)
	for range 20 { // two waits in one request
		if a := r.get("/open/free.css"); a.body != "content of free.css" {
			t.Fatalf("%+v", a)
		}
		r.leave("GET /open/free.css HTTP/1.1\r\nHost: h\r\n\r\n")
	}
}

var staticCached = cached
