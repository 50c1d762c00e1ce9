package fleet

import (
	"sync"
	"time"
)

// shutStore remembers that the store that is pushed to could not be opened, for as long as
// other answers of the cache are held to be true: each host would wait for it in turn. The
// zero value is ready, and may be used concurrently.
type shutStore struct {
	mu  sync.Mutex
	at  time.Time
	why string
}

func (s *shutStore) close(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.why = time.Now(), why
}

// closed returns how that is known; "" if it may be open.
func (s *shutStore) closed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) >= probeHolds {
		return ""
	}
	return s.why
}
