package ui

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/nixflotilla/flotilla/fleet"
)

// Live is a Face for a terminal: a steady view of all hosts at its lower end,
// which is gone once the run is over. Warnings scroll past above it; so do the
// lines that activations print, unless there are many hosts.
type Live struct {
	answers
	size func() (width, height int)

	mu    sync.Mutex
	board *board
	// lines writes what stays into above, until the next repaint.
	lines *Lines
	above bytes.Buffer
	// said has the hosts of each evaluation warning, in the order of texts:
	// a fleet's hosts share modules, and so their warnings.
	said  map[string][]string
	texts []string
	state liveState

	painter       painter
	stop, stopped chan struct{}
}

type liveState int

const (
	notBegun liveState = iota
	alive
	finished
)

const (
	// repaintEvery is the least time between two repaints.
	repaintEvery = 100 * time.Millisecond
	// fewHosts is up to how many hosts activations are read as they go by.
	fewHosts = 8
)

// NewLive returns a Face that shows progress on the terminal behind err, from
// the first event on, and writes the answer to out. The hosts are those of the
// run, each a line, in their order.
func NewLive(out io.Writer, err *os.File, hosts []fleet.Host) *Live {
	size := func() (int, int) {
		width, height, e := term.GetSize(int(err.Fd()))
		if e != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
	l := &Live{
		answers: answers{out: out, err: err}, size: size,
		board: newBoard(hosts, time.Now()), lines: NewLines(err, hosts, false),
		said: make(map[string][]string), painter: painter{w: err},
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.lines.screen.w = &l.above
	return l
}

// Event takes in one event; it shows with the next repaint.
func (l *Live) Event(e fleet.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case notBegun:
		l.state = alive
		l.board.began = e.Time
		go l.run()
	case finished:
		return
	case alive:
	}
	l.board.event(e)
	if l.stays(e) {
		l.lines.screen.width, _ = l.size()
		l.lines.Event(e)
	}
}

// stays reports whether an event is worth a line that stays.
func (l *Live) stays(e fleet.Event) bool {
	hosts := len(l.board.rows)
	switch e.Kind {
	case fleet.KindWarning:
		if e.Step != fleet.StepEvaluate {
			return true
		}
		if len(l.said[e.Text]) == 0 {
			l.texts = append(l.texts, e.Text)
		}
		l.said[e.Text] = append(l.said[e.Text], e.Host)
		return len(l.said[e.Text]) == 1
	case fleet.KindLog:
		return hosts <= fewHosts
	}
	return hosts == 1
}

// Write shows a note above the view.
func (l *Live) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != alive {
		return l.err.Write(text)
	}
	l.above.WriteString(strings.Trim(string(text), "\n") + "\n")
	return len(text), nil
}

// run is the goroutine that owns the screen.
func (l *Live) run() {
	defer close(l.stopped)
	// A shell that had the terminal in between has moved the cursor.
	back := make(chan os.Signal, 1)
	signal.Notify(back, syscall.SIGCONT)
	defer signal.Stop(back)
	tick := time.NewTicker(repaintEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-l.stop:
			return
		case <-back:
			l.painter.shown = nil
		case <-tick.C:
			now := time.Now()
			// After a long pause word of the signal may be on its way.
			if now.Sub(last) < 3*repaintEvery {
				l.repaint(now)
			}
			last = now
		}
	}
}

func (l *Live) repaint(now time.Time) {
	width, height := l.size()
	l.mu.Lock()
	above := l.above.String()
	l.above.Reset()
	frame := l.board.frame(screen{color: l.lines.screen.color, width: width}, height, now)
	l.mu.Unlock()
	l.painter.paint(above, frame, width, height)
}

// Finish takes the view away and writes the report in its place. Where the
// report goes elsewhere the view is left standing as it ended.
func (l *Live) Finish(r *fleet.Report, answer func(io.Writer, *fleet.Report)) {
	l.mu.Lock()
	was := l.state
	l.state = finished
	l.mu.Unlock()
	if was == alive {
		close(l.stop)
		<-l.stopped
		l.repeated()
		// With an answer, the report goes to the terminal.
		l.last(answer != nil || isTerminal(l.out))
	}
	l.write(r, answer)
}

// last brings the terminal to its end of the run.
func (l *Live) last(clear bool) {
	if !clear || l.above.Len() > 0 {
		l.repaint(time.Now())
	}
	if !clear {
		l.painter.leave()
		return
	}
	l.painter.clear(l.size())
}

// repeated tells which evaluation warnings were not of one host only.
func (l *Live) repeated() {
	for _, text := range l.texts {
		others := l.said[text][1:]
		who := strings.Join(others, ", ")
		if len(others) > fewHosts {
			who = fmt.Sprintf("%d other hosts", len(others))
		}
		if who != "" {
			fmt.Fprintf(&l.above, "%s gave this warning too: %s\n", who, plain(text))
		}
	}
}
