// Command relay connects a network interface to a TAP device that it makes,
// carrying every frame between the two with a delay, or losing it. The lab starts one for
// each slow link, in the bridge's network namespace; it runs until it is
// killed. It says "ready" when the TAP device is there.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

func main() {
	link := flag.String("link", "", "the interface to take frames from and give them to")
	tap := flag.String("tap", "", "the TAP device to make")
	delay := flag.Duration("delay", 0, "how long to hold a frame back, in each direction")
	loss := flag.Float64("loss", 0, "how many per cent of the frames to lose, in each direction")
	flag.Parse()
	if err := relay(*link, *tap, *delay, *loss); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

func relay(link, tap string, delay time.Duration, loss float64) error {
	if link == "" || tap == "" || delay < 0 || loss < 0 || loss >= 100 || delay == 0 && loss == 0 {
		return errors.New("-link, -tap and a positive -delay or a -loss below 100 are needed")
	}
	a, err := openLink(link)
	if err != nil {
		return fmt.Errorf("open %s: %w", link, err)
	}
	b, err := openTAP(tap)
	if err != nil {
		return fmt.Errorf("make %s: %w", tap, err)
	}
	fmt.Println("ready")
	ended := make(chan error, 2)
	go func() { ended <- carry(a, b, delay, share(loss)) }()
	go func() { ended <- carry(b, a, delay, share(loss)) }()
	return <-ended // and main ends with it
}

// share says of so many per cent of its calls, at random, yes.
func share(percent float64) func() bool {
	return func() bool { return rand.Float64()*100 < percent }
}
